"""What belongs into training and was exported: dropout, augmentation, batch statistics, shuffling."""

from collections.abc import Iterator
from typing import Final

from tfserving_operator.core.inspection import Clue
from tfserving_operator.inspector import flow, ops, picture, protos

_FAR: Final = 10
"""Steps within which batch normalisation takes the root of its variance."""


def find(seen: picture.Picture) -> Iterator[tuple[Clue, str]]:
    """Find it on the way to an output; what only a training function does is not."""
    norms = [index for index in seen.matching(ops.BATCH_NORMS.fullmatch) if _is_training(seen, index)]
    if norms:
        yield Clue.BatchNormTraining, f"it takes its statistics from the batch: {seen.told(norms)}"
    elif moments := _batch_moments(seen):
        yield Clue.BatchNormTraining, f"mean and variance over the batch's axis: {seen.told(moments)}"
    yield from _random(seen)


def _random(seen: picture.Picture) -> Iterator[tuple[Clue, str]]:
    drawn = seen.matching(ops.is_random)
    queues = seen.matching(ops.QUEUES.fullmatch)
    pure = seen.ways.forward(drawn, seen.data, lambda index: index in seen.touched) - seen.touched
    kinds: dict[Clue, list[int]] = {}
    for index in sorted(seen.touched & seen.data):
        if (clue := _meets(seen, index, pure)) is not None:
            kinds.setdefault(clue, []).append(index)
    if dropped := [index for index in sorted(pure) if _drops_weights(seen, index, pure)]:
        kinds.setdefault(Clue.DropoutActive, []).extend(dropped)
    shuffles = queues + kinds.pop(Clue.BatchShuffled, [])
    if shuffles:
        yield Clue.BatchShuffled, f"rows may come in another order: {seen.told(shuffles)}"
    if masked := kinds.get(Clue.DropoutActive):
        yield Clue.DropoutActive, f"a random mask: {seen.told(masked)}"
    if augmented := kinds.get(Clue.Augmentation):
        yield Clue.Augmentation, f"random numbers change the input: {seen.told(augmented)}"
    if drawn:
        yield Clue.RandomOps, f"{seen.told(drawn)}, {_seeds(seen, drawn)}"


def _meets(seen: picture.Picture, index: int, pure: set[int]) -> Clue | None:
    """What a node does, in which random numbers and values of an input meet."""
    vertex = seen.vertex(index)
    if vertex.op in ("RandomShuffle", "StatelessShuffle", "RandomCrop"):
        return Clue.Augmentation if vertex.op == "RandomCrop" else Clue.BatchShuffled
    chance = [other for other in vertex.data if other in pure]
    if not chance or vertex.op in flow.INNER or vertex.op in flow.LOOPS:
        return None
    if vertex.op in ops.GATHERS:
        return Clue.BatchShuffled if vertex.data[0] in seen.touched else None
    values = [other for other in vertex.data if other in seen.touched]
    if vertex.op in ops.MASKED and any(_is_mask(seen, other, pure) for other in chance):
        mirrored = any(
            seen.vertex(i).op in ops.MIRRORS for other in values for i in seen.steps_back(other, 4)
        )
        return Clue.Augmentation if mirrored else Clue.DropoutActive
    is_near = any(other in seen.light for other in values)
    return Clue.Augmentation if is_near and vertex.op in ops.AUGMENTS else None


def _drops_weights(seen: picture.Picture, index: int, pure: set[int]) -> bool:
    """Whether a random mask is multiplied with weights, or with a table of embeddings."""
    vertex = seen.vertex(index)
    if vertex.op not in ops.MASKED or not any(_is_mask(seen, i, pure) for i in vertex.data if i in pure):
        return False
    needed = seen.ways.back([other for other in vertex.data if other not in pure])
    return any(seen.vertex(i).op in ops.VARIABLES for i in needed)


def _is_mask(seen: picture.Picture, index: int, pure: set[int]) -> bool:
    return any(seen.vertex(i).op in ops.MASKS and i in pure for i in seen.steps_back(index))


def _seeds(seen: picture.Picture, drawn: list[int]) -> str:
    fixed = 0
    for index in drawn:
        vertex = seen.vertex(index)
        if vertex.node is None:
            continue
        if ops.FIXED_SEED.fullmatch(vertex.op):
            needed = seen.ways.back(vertex.data[1:])
            fixed += not any(
                seen.vertex(i).op in ops.VARIABLES or ops.is_random(seen.vertex(i).op) for i in needed
            )
        else:
            fixed += bool(vertex.node.attribute("seed").integer or vertex.node.attribute("seed2").integer)
    if fixed == len(drawn):
        return "with a fixed seed"
    return "without a fixed seed" if not fixed else f"{fixed} of {len(drawn)} with a fixed seed"


def _is_training(seen: picture.Picture, index: int) -> bool:
    """Whether a fused batch normalisation takes its statistics from the batch, which is the op's default.

    Layer normalisation is computed by the same op: with scales that are as many as the rows, and made on the way.
    """
    vertex = seen.vertex(index)
    if vertex.node is None:
        return False
    training = vertex.node.attribute("is_training")
    is_layer_norm = len(vertex.data) > 1 and seen.source(vertex.data[1]).op in ("Fill", "OnesLike")
    return (training.boolean or not training.is_there) and not is_layer_norm


def _batch_moments(seen: picture.Picture) -> list[int]:
    """Means over the batch whose squared differences end in a root, as in batch normalisation without the fused op."""
    squared = [
        (index, means)
        for index in seen.matching(lambda op: op == "SquaredDifference")
        if seen.vertex(index).scope not in seen.ways.looped and (means := _means_of(seen, index))
    ]
    found: list[int] = []
    for index, means in squared:
        if any(_is_over_batch(seen, mean) for mean in means) and _ends_in_root(seen, index):
            found += [mean for mean in means if _is_over_batch(seen, mean)]
    return list(dict.fromkeys(found))


def _means_of(seen: picture.Picture, index: int) -> list[int]:
    return [
        i
        for other in seen.vertex(index).data
        for i in seen.steps_back(other, 6)
        if seen.vertex(i).op == "Mean"
    ]


def _is_over_batch(seen: picture.Picture, mean: int) -> bool:
    data = seen.vertex(mean).data
    if len(data) < 2 or mean not in seen.touched:  # noqa: PLR2004 - a tensor, and its axes
        return False
    axes = seen.source(data[1])
    value = axes.node.attribute("value").tensor if axes.node and axes.op == "Const" else None
    return value is not None and 0 in protos.constant_integers(value)


def _ends_in_root(seen: picture.Picture, index: int) -> bool:
    edge = {index}
    reached = set(edge)
    for _ in range(_FAR):
        edge = {user for each in edge for user in seen.users.get(each, ())} - reached
        if any(seen.vertex(i).op in ("Rsqrt", "Sqrt", "Pow") for i in edge):
            return True
        reached |= edge
    return False
