"""Small models of numpy that answer as a server does: what the smoke engine makes of them, without a server."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tests.support import smoketests
from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import (
    answers,
    cases,
    judge,
    plans,
    presentations,
    probes,
    recordings,
    signatures,
)
from tfserving_operator.core.smoke.probes import units

Columns = Mapping[str, np.ndarray]
Model = Callable[[Columns], Mapping[str, np.ndarray]]
DTYPES = {"f": "DT_FLOAT", "i": "DT_INT64", "b": "DT_BOOL", "O": "DT_STRING", "U": "DT_STRING"}


@dataclass
class Server:
    """A model with its signature; it counts what it is asked."""

    model: Model
    signature: inspection.Signature
    requests: int = 0
    values: int = 0
    rows: int = field(default=0)

    def answer(self, case: cases.Case) -> answers.Answer:
        self.requests += 1
        columns = units.columns_of(case, self.signature)
        assert columns is not None, case
        self.values += sum(a.size for a in columns.values())
        as_served = {
            n: a.astype(np.float32) if self.signature.inputs[n].dtype == "DT_FLOAT" else a
            for n, a in columns.items()
        }
        try:
            with np.errstate(all="ignore"):
                outputs = self.model(as_served)
        except (ValueError, IndexError) as error:
            return answers.Answer(status=400, error=str(error))
        found = {n: np.asarray(a) for n, a in outputs.items()}
        found = {n: a.astype(np.float32) if a.dtype.kind == "f" else a for n, a in found.items()}
        if len(found) == 1:
            found = {answers.ONLY_OUTPUT: next(iter(found.values()))}
        return answers.Answer(status=200, outputs=found, by_row=case.instances is not None)


def signature_of(columns: Columns, outputs: Sequence[str] = ("y",), **shapes: Any) -> inspection.Signature:
    return inspection.Signature(
        method="tensorflow/serving/predict",
        inputs={
            n: inspection.Tensor(dtype=DTYPES[a.dtype.kind], shape=shapes.get(n, (-1, *a.shape[1:])))
            for n, a in columns.items()
        },
        outputs={n: inspection.Tensor(dtype="DT_FLOAT", shape=(-1, 2)) for n in outputs},
    )


@dataclass
class Tested:
    outcome: plans.TestOutcome
    rounds: int
    requests: int

    @property
    def cause(self) -> str:
        return self.outcome.cause

    @property
    def reason(self) -> str:
        return str(self.outcome.reason)


def cases_of(
    columns: Columns, golden: Model | None, rows_each: int = 1, rtol: float = 1e-3, atol: float = 1e-5
) -> tuple[cases.Case, ...]:
    """The rows as cases, in columnar form, with what the trained model answers as goldens."""
    count = len(next(iter(columns.values())))
    found = []
    for i, start in enumerate(range(0, count, rows_each)):
        part = {n: a[start : start + rows_each] for n, a in columns.items()}
        expect = None
        if golden is not None:
            outputs = {n: np.asarray(a).tolist() for n, a in golden(part).items()}
            expect = cases.Expect(outputs=outputs, rtol=rtol, atol=atol)
        inputs = {n: a.tolist() for n, a in part.items()}
        found.append(cases.Case(name=f"c{i}", inputs=inputs, expect=expect))
    return tuple(found)


def record(
    server: Server, given: Sequence[cases.Case], *, control: Server | None = None, **changed: Any
) -> recordings.Recording:
    """What the runner records before it probes."""
    answered = {case.name: server.answer(case) for case in given}
    repeated = {case.name: server.answer(case) for case in given}
    alone = {
        name: tuple(server.answer(row) for row in rows)
        for name, rows in presentations.alone(given, server.signature).items()
    }
    joint = presentations.together(given, {case.name: 100 for case in given}, server.signature)
    batches: dict[str, recordings.Batch] = {}
    if joint is not None:
        batches["together"] = recordings.Batch(rows=joint.rows, answer=server.answer(joint.case))
        turned = presentations.permuted(joint)
        batches["permuted"] = recordings.Batch(rows=turned.rows, answer=server.answer(turned.case))
    served = signatures.Metadata(version=1, signatures={"serving_default": server.signature})

    def pod(**found: Any) -> recordings.PodRecording:
        state = recordings.ModelState.Available
        return recordings.PodRecording(pod="m-1-a", version=1, metadata=served, state=state, **found)

    before = pod(answered={c.name: control.answer(c) for c in given}) if control else None
    target = pod(answered=answered, repeated=repeated, alone=alone, **batches)
    fields: dict[str, Any] = {"targets": (target,), "control": before, "sent": tuple(given)}
    return recordings.Recording(**(fields | changed))


def run(
    model: Model,
    columns: Columns,
    golden: Model | None = None,
    *,
    given: Sequence[cases.Case] | None = None,
    signature: inspection.Signature | None = None,
    control: Model | None = None,
    inspected: inspection.Inspection | None = None,
    control_inspected: inspection.Inspection | None = None,
    rows_each: int = 1,
    checks: Mapping[str, Any] | None = None,
    shapes: Mapping[str, Any] | None = None,
    tolerances: Mapping[str, float] | None = None,
    **changed: Any,
) -> Tested:
    """Test a model as the runner does: the cases in all presentations, then probes until no more are planned."""
    given = given or cases_of(columns, golden, rows_each, **(tolerances or {}))
    outputs = model({n: np.asarray(a) for n, a in columns.items()}) if signature is None else {}
    signature = signature or signature_of(columns, tuple(outputs), **(shapes or {}))
    server = Server(model=model, signature=signature)
    before = Server(model=control, signature=signature) if control else None
    recording = record(server, given, control=before, **changed)
    request = smoketests.request(
        checks=checks or {}, inspection=inspected, control_inspection=control_inspected
    )
    server.requests, rounds = 0, 0
    while planned := judge.plan_probes(request, recording):
        rounds += 1
        assert rounds < 100
        assert not planned.keys() & recording.probes.keys()
        found = {name: {c.name: server.answer(c) for c in each} for name, each in planned.items()}
        recording = replace(recording, probes={**recording.probes, **found})
        assert server.requests <= probes.MAX_REQUESTS
    outcome = judge.judge(request, cases.MADE, recording, smoketests.NOW, smoketests.NOW)
    return Tested(outcome=outcome, rounds=rounds, requests=server.requests)
