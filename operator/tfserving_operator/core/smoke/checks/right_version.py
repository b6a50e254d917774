"""The pod serves the version that was asked for.

A REST answer does not say which version gave it. What proves it is that every prediction is pinned to
`/versions/V`, which is answered with 404 when V is not served, and that the status route calls V AVAILABLE.
"""

from typing import Final

from tfserving_operator.api import reasons
from tfserving_operator.core.smoke import plans, recordings
from tfserving_operator.core.smoke.checks import evidence

NAME: Final = "rightVersion"
NOT_FOUND: Final = 404
NOT_SERVED: Final = ("Servable not found", "Could not find version", "Could not find any versions")
_LOADING: Final = (recordings.ModelState.Start, recordings.ModelState.Loading)
_GONE: Final = (recordings.ModelState.Unloading, recordings.ModelState.End)
_BEFORE_PROMOTION: Final = (plans.TestPurpose.Candidate, plans.TestPurpose.Rollback)


def check(found: evidence.Evidence, _setting: evidence.Setting) -> plans.CheckResult:
    """Judge which version the pods serve."""
    reason = (
        reasons.Reason.WrongVersion
        if found.request.purpose in _BEFORE_PROMOTION
        else reasons.Reason.ServedVersionLost
    )
    for pod in found.recording.targets:
        if problem := _problem(pod, found.request.version):
            return evidence.failed(NAME, reason, f"pod {pod.pod} {problem}")
    for pod in found.recording.targets:
        if pod.state in _LOADING:
            message = f"pod {pod.pod} is still loading version {found.request.version}"
            return evidence.not_run(NAME, plans.NoVerdict.TestCannotRun, message)
    return evidence.passed(NAME)


def _problem(pod: recordings.PodRecording, version: int) -> str:
    if pod.metadata is not None and pod.metadata.version != version:
        return f"serves version {pod.metadata.version} where {version} was asked for"
    if pod.state in _GONE:
        return f"no longer serves version {version}: its state is {pod.state}"
    answers = [pod.opening] if pod.opening else []
    for answer in [*answers, *pod.answered.values()]:
        if answer.status == NOT_FOUND and answer.error.startswith(NOT_SERVED):
            return f"does not serve version {version}: {answer.error}"
    return ""
