"""Recordings as tests write them: the answers of pods by case."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tests.support import smoketests
from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import answers, cases, judge, plans, recordings, signatures

FLOATS = inspection.Tensor(dtype="DT_FLOAT", shape=(-1, 2))


def signature(*outputs: str, inputs: Sequence[str] = ("x",)) -> inspection.Signature:
    return inspection.Signature(
        method="tensorflow/serving/predict",
        inputs=dict.fromkeys(inputs, FLOATS),
        outputs=dict.fromkeys(outputs, FLOATS),
    )


def metadata(*outputs: str, version: int = 1) -> signatures.Metadata:
    return signatures.Metadata(version=version, signatures={"serving_default": signature(*outputs)})


def answer(**outputs: Any) -> answers.Answer:
    return answers.Answer(status=200, outputs={name: np.asarray(value) for name, value in outputs.items()})


def error(status: int, text: str) -> answers.Answer:
    return answers.Answer(status=status, error=text)


def trouble(kind: answers.Trouble) -> answers.Answer:
    return answers.Answer(trouble=kind, detail="…")


def pod(found: Sequence[answers.Answer], name: str = "digits-1-a", **changed: Any) -> recordings.PodRecording:
    """Answers to the cases c0, c1, … in turn."""
    names = sorted({output for each in found for output in each.outputs}) or ["y"]
    fields: dict[str, Any] = {
        "pod": name,
        "version": 1,
        "metadata": metadata(*names),
        "state": recordings.ModelState.Available,
        "answered": {f"c{i}": each for i, each in enumerate(found)},
    }
    return recordings.PodRecording(**(fields | changed))


def case(i: int, expect: Mapping[str, Any] | None = None, **tolerances: float) -> cases.Case:
    golden = cases.Expect(outputs=expect, **tolerances) if expect is not None else None
    return cases.Case(name=f"c{i}", instances=[[float(i), i * 0.5]], expect=golden)


def sent(count: int, expected: Sequence[Mapping[str, Any]] = ()) -> tuple[cases.Case, ...]:
    return tuple(case(i, expected[i] if i < len(expected) else None) for i in range(count))


def judged(
    *pods: recordings.PodRecording,
    control: recordings.PodRecording | None = None,
    given: Sequence[cases.Case] | None = None,
    made: bool = False,
    checks: Mapping[str, Any] | None = None,
    purpose: plans.TestPurpose = plans.TestPurpose.Candidate,
    **changed: Any,
) -> plans.TestOutcome:
    most = max((len(each.answered) for each in pods), default=0)
    recording = recordings.Recording(
        targets=pods,
        control=control,
        sent=tuple(given if given is not None else sent(most)),
        made=made,
        **changed,
    )
    request = smoketests.request(checks=checks or {}, purpose=purpose)
    return judge.judge(request, cases.MADE, recording, smoketests.NOW, smoketests.NOW)
