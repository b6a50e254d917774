"""A recording in short, for the log: which inputs were sent, what came back, and what was tried to explain it."""

from collections.abc import Mapping
from typing import Any, Final

from tfserving_operator.core.smoke import answers, encoding, recordings
from tfserving_operator.core.smoke.checks import distinct_outputs, evidence

_MOST: Final = 64
"""Cases and probes that are listed."""
_DIGEST_CHARACTERS: Final = 16


def summarise(found: evidence.Evidence) -> dict[str, Any]:
    """Give JSON types, some kilobytes at most."""
    recording = found.recording
    return {
        "made": recording.made,
        "timedOut": recording.timed_out,
        "inputs": {
            case.name: encoding.digest(case.payload)[:_DIGEST_CHARACTERS] for case in recording.sent[:_MOST]
        },
        "pods": {pod.pod: _pod(found, pod) for pod in recording.targets[:_MOST]},
        "control": _pod(found, recording.control) if recording.control is not None else None,
        "load": [_load(load) for load in recording.load],
        "probes": {name: _count(answered) for name, answered in list(recording.probes.items())[:_MOST]},
    }


def _pod(found: evidence.Evidence, pod: recordings.PodRecording) -> dict[str, Any]:
    spreads = distinct_outputs.measure(
        found.recording.sent, pod.answered, distinct_outputs.MIN_RELATIVE_SPREAD
    )
    return {
        "version": pod.version,
        "state": str(pod.state),
        "answered": _count(pod.answered),
        "repeated": _count(pod.repeated),
        "alone": sum(len(rows) for rows in pod.alone.values()),
        "together": len(pod.together.rows) if pod.together is not None else 0,
        "permuted": len(pod.permuted.rows) if pod.permuted is not None else 0,
        "slowestSeconds": round(max(pod.seconds.values(), default=0.0), 4),
        "outputs": {
            each.output: {
                "spread": float(f"{each.relative:.3g}"),
                "inputs": each.inputs,
                "kind": each.kind.name,
                "sample": each.sample,
            }
            for each in spreads[:_MOST]
        },
    }


def _load(load: recordings.LoadRecording) -> dict[str, Any]:
    return {
        "pod": load.pod,
        "sent": load.sent,
        "failed": load.failed,
        "compared": load.compared,
        "differing": load.differing,
        "slowestSeconds": round(load.slowest_seconds, 4),
    }


def _count(answered: Mapping[str, answers.Answer]) -> str:
    return f"{sum(answer.succeeded for answer in answered.values())} of {len(answered)}"
