"""What the model's files tell: other vocabularies and assets, the active version's weights, variables set anew."""

from collections.abc import Mapping

from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import causes
from tfserving_operator.core.smoke.causing import seen
from tfserving_operator.core.smoke.causing.story import Story, by_clue
from tfserving_operator.core.smoke.checks import evidence
from tfserving_operator.core.smoke.probes import examples, units


def vocabulary(found: evidence.Evidence) -> Story | None:
    """Tell that a vocabulary is another one than the goldens were recorded with."""
    return _changed(found, vocabularies=True)


def asset(found: evidence.Evidence) -> Story | None:
    """Tell that another asset is another one than the goldens were recorded with."""
    return _changed(found, vocabularies=False)


def _changed(found: evidence.Evidence, *, vocabularies: bool) -> Story | None:
    inspected, provenance = found.request.inspection, found.recording.provenance
    if inspected is None or provenance is None:
        return None
    for name, digest in sorted(provenance.assets.items()):
        have = inspected.assets.get(name)
        if have is None or have.digest == digest:
            continue
        is_vocabulary = have.is_vocabulary or name in provenance.vocabularies
        if is_vocabulary == vocabularies:
            cause = causes.Cause.VocabularyMismatch if is_vocabulary else causes.Cause.StaleAsset
            kind = "vocabulary" if is_vocabulary else "asset"
            told = (
                f"The {kind} {name} ({have.lines} lines, the first is {have.first[:24]!r}) is not the one"
                " that the goldens were recorded with"
            )
            return Story(cause=cause, told=told)
    return None


def stale_weights(found: evidence.Evidence) -> Story | None:
    """Tell that the weights are the active version's, and so are the answers."""
    inspected, control = found.request.inspection, found.request.control_inspection
    provenance = found.recording.provenance
    if inspected is None or control is None or not inspected.weights_digest:
        return None
    if provenance and provenance.model_digest and provenance.model_digest == inspected.digest:
        return None  # the goldens are this very model's
    if inspected.weights_digest == control.weights_digest and _as_control(found):
        told = "The weights and the answers are those of the active version"
        return Story(cause=causes.Cause.StaleWeights, told=told)
    return None


def stale_answers(found: evidence.Evidence) -> Story | None:
    """Tell that every answer is the active version's, to the last bit, where nothing else explains a mismatch."""
    if found.request.inspection and found.request.control_inspection:
        return None  # their weights were compared
    if _as_control(found):
        told = "Every answer is that of the active version"
        return Story(cause=causes.Cause.StaleWeights, told=told)
    return None


def _as_control(found: evidence.Evidence) -> bool:
    """Whether several different answers are equal to those of the active revision."""
    control = found.recording.control
    if control is None or not found.recording.targets:
        return False
    pod = found.recording.targets[0]
    compared = 0
    for name, answer in pod.answered.items():
        other = control.answered.get(name)
        if not answer.succeeded or other is None or not other.succeeded:
            continue
        if not seen.same(_flat(answer.outputs), _flat(other.outputs)):
            return False
        compared += 1
    return compared > 1


def _flat(outputs: Mapping[str, seen.Array]) -> dict[str, seen.Array]:
    return {name: array.reshape(-1) for name, array in outputs.items()}


def reinitialised(found: evidence.Evidence) -> Story | None:
    """Tell that the init op sets variables after they were restored."""
    text = "The model's init op sets variables after they were restored"
    return by_clue(found, inspection.Clue.VariablesInitialised, causes.Cause.WeightsReinitialised, text)


def disconnected(found: evidence.Evidence) -> Story | None:
    """Tell that the input is not wired to the output."""
    text = "No path leads from the input to the output"
    return by_clue(found, inspection.Clue.InputDisconnected, causes.Cause.InputDisconnected, text)


def constant(found: evidence.Evidence) -> Story | None:
    """Tell that the output is computed from constants."""
    text = "The output is computed from constants and variables only"
    return by_clue(found, inspection.Clue.ConstantOutput, causes.Cause.ConstantOutput, text)


def defaulted(found: evidence.Evidence) -> Story | None:
    """Tell that the model parses features by other names than are sent."""
    sample = units.gather(found)
    names = examples.names(sample) if sample else None
    if names is None or not names.is_defaulted:
        return None
    told = names.told()
    return Story(cause=causes.Cause.FeaturesDefaulted, told=told[0].upper() + told[1:])
