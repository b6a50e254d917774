"""Cases cut into the units that probes change: single rows where answers come by row, whole cases where not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import answers, cases, recordings, signatures
from tfserving_operator.core.smoke.checks import evidence
from tfserving_operator.core.smoke.probes import wanted

Array = np.ndarray[Any, Any]
Columns = Mapping[str, Array]
"""Inputs by name, batch first. Strings are arrays of objects: a str, or {"b64": …} as it was written."""

MAX_UNITS: Final = 64
_MAX_VALUES: Final = 4_000_000
"""Over all units: what is held in memory while probes are planned."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """What is changed and sent at once."""

    case: str
    row: int | None
    """None: the case as a whole."""
    columns: Columns
    golden: wanted.Wanted | None
    answered: Mapping[str, Array]
    """What it was answered with: the outputs by name, flat."""

    @property
    def values(self) -> int:
        """How many values it sends."""
        return sum(array.size for array in self.columns.values())

    @property
    def excess(self) -> float:
        """How many tolerances the recorded answer is off; 0 without a golden."""
        return float(self.golden.excess(self.answered, 1)[0]) if self.golden else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """All that a search reads."""

    found: evidence.Evidence
    signature: inspection.Signature
    units: tuple[Unit, ...]
    """Those that miss their goldens first, as different ones as there are."""
    by_row: bool
    """Whether units are rows, so that several can be joined in one request."""
    batch: int
    """How many rows the signature takes at once; 0 for any number."""

    @property
    def goldens(self) -> tuple[wanted.Wanted, ...]:
        """All goldens."""
        return tuple(unit.golden for unit in self.units if unit.golden)

    @property
    def scales(self) -> dict[str, float]:
        """How far the goldens of each output are apart."""
        return wanted.scales(self.goldens)

    def named(self, *kinds: str) -> tuple[str, ...]:
        """The inputs whose values are of a kind: f floats, i integers, b booleans, O strings."""
        first = self.units[0].columns
        return tuple(name for name in first if first[name].dtype.kind in kinds)


def gather(found: evidence.Evidence) -> Sample | None:
    """Cut the cases that the first pod answered or refused into units; None where nothing can be changed."""
    signature = found.signature
    if signature is None or not signature.inputs or not found.recording.targets:
        return None
    batch = _fixed_batch(signature)
    whole = batch > 1 or _hangs_together(found.recording.targets[0])
    units = [unit for case in found.recording.sent for unit in _cut(found, case, signature, whole=whole)]
    by_row = all(unit.row is not None for unit in units)
    if not by_row and not whole:
        units = [u for case in found.recording.sent for u in _cut(found, case, signature, whole=True)]
    names = {frozenset(unit.columns) for unit in units}
    if not units or len(names) != 1:
        return None
    kept = _bounded(_ordered(units))
    return Sample(found=found, signature=signature, units=kept, by_row=by_row, batch=0 if whole else batch)


def columns_of(case: cases.Case, signature: inspection.Signature) -> dict[str, Array] | None:
    """Read a case's inputs by name, batch first; None where they are not those of the signature."""
    given = _given(case, signature)
    if given is None or set(given) != set(signature.inputs):
        return None
    columns = {}
    for name, values in given.items():
        array = _read(values, signature.inputs[name].dtype)
        if array is None:
            return None
        columns[name] = array
    return columns


def to_case(name: str, columns: Columns, signature: inspection.Signature) -> cases.Case:
    """Write inputs as a columnar case, in the types that the signature asks for."""
    inputs = {key: _write(array, signature.inputs[key].dtype) for key, array in columns.items()}
    return cases.Case(name=name, inputs=inputs)


def _given(case: cases.Case, signature: inspection.Signature) -> Mapping[str, Any] | None:
    if case.instances is not None:
        first = case.instances[0]
        if not isinstance(first, Mapping) or set(first) == {"b64"}:
            values: Any = case.instances
        elif all(isinstance(row, Mapping) and row.keys() == first.keys() for row in case.instances):
            return {str(key): [row[key] for row in case.instances] for key in first}
        else:
            return None
    elif isinstance(case.inputs, Mapping) and set(case.inputs) != {"b64"}:
        return {str(key): value for key, value in case.inputs.items()}
    else:
        values = case.inputs
    return {next(iter(signature.inputs)): values} if len(signature.inputs) == 1 else None


def _read(values: Any, dtype: str) -> Array | None:
    try:
        if dtype == "DT_STRING":
            array = np.asarray(values, dtype=object)
            is_text = all(isinstance(leaf, str | dict) for leaf in array.flat)
            return array if array.ndim and array.size and is_text else None
        array = np.asarray(values)
    except ValueError:
        return None
    if not array.ndim or not array.size or array.dtype.kind not in "fiub":
        return None
    if dtype in signatures.FLOATS:
        return array.astype(np.float64)
    if dtype == "DT_BOOL":
        return array.astype(bool)
    return array.astype(np.int64) if array.dtype.kind in "iu" else None


def _write(array: Array, dtype: str) -> Any:
    if array.dtype.kind == "O":
        return array.tolist()
    if dtype == "DT_FLOAT":
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(array, dtype=np.float32)
    if dtype == "DT_BOOL":
        return np.ascontiguousarray(array, dtype=bool)
    if signatures.is_integer(dtype) and array.dtype.kind == "f":
        array = array.astype(np.int64)
    return np.ascontiguousarray(array)


def _fixed_batch(signature: inspection.Signature) -> int:
    """The batch size that the signature insists on; 0 for any."""
    firsts = [t.shape[0] for t in signature.inputs.values() if t.shape]
    return max((size for size in firsts if size > 0), default=0)


def _hangs_together(pod: recordings.PodRecording) -> bool:
    """Whether a case's rows get other answers alone, so that rows are no units."""
    for case, singles in pod.alone.items():
        answer = pod.answered.get(case)
        if answer is None or not answer.succeeded:
            continue
        for name, array in answer.outputs.items():
            rows = answers.rows_of(array, len(singles))
            if array.dtype.kind != "f" or len(rows) != len(singles):
                continue
            for row, single in zip(rows, singles, strict=True):
                other = single.outputs.get(name)
                if other is None or other.size != row.size or not _close(row, other.reshape(-1)):
                    return True
    return False


def _close(row: Array, other: Array) -> bool:
    return other.dtype.kind == "f" and bool(np.allclose(row, other, rtol=1e-3, atol=1e-5, equal_nan=True))


def _cut(
    found: evidence.Evidence, case: cases.Case, signature: inspection.Signature, *, whole: bool
) -> list[Unit]:
    columns = columns_of(case, signature)
    answer = found.recording.targets[0].answered.get(case.name)
    if columns is None or answer is None or answer.trouble is not None:
        return []
    lengths = {len(array) for array in columns.values()}
    outputs = answer.outputs if answer.succeeded else {}
    count = lengths.pop() if len(lengths) == 1 else 0
    by_row = count and not whole and all(a.ndim and len(a) == count for a in outputs.values())
    indices: Sequence[int | None] = range(count) if by_row else [None]
    units = []
    for index in indices:
        try:
            golden = wanted.read(case.expect, index) if case.expect else None
        except (IndexError, ValueError):
            golden = None
        rows = {name: a if index is None else a[index : index + 1] for name, a in columns.items()}
        flat = {name: (a if index is None else a[index]).reshape(-1) for name, a in outputs.items()}
        units.append(Unit(case=case.name, row=index, columns=rows, golden=golden, answered=flat))
    return units


def _ordered(units: Sequence[Unit]) -> list[Unit]:
    """Wrong ones first, those with another golden than all before them first among them."""
    with_goldens = [unit for unit in units if unit.golden] or list(units)
    wrong = [unit for unit in with_goldens if unit.excess > 1.0]
    right = [unit for unit in with_goldens if unit.excess <= 1.0]
    return [*_diverse(wrong), *_diverse(right)]


def _diverse(units: Sequence[Unit]) -> list[Unit]:
    fresh: list[Unit] = []
    rest: list[Unit] = []
    seen: set[str] = set()
    for unit in units:
        key = repr(unit.golden)
        (rest if key in seen else fresh).append(unit)
        seen.add(key)
    return fresh + rest


def _bounded(units: Sequence[Unit]) -> tuple[Unit, ...]:
    kept: list[Unit] = []
    values = 0
    for unit in units[:MAX_UNITS]:
        values += unit.values
        if kept and values > _MAX_VALUES:
            break
        kept.append(unit)
    return tuple(kept)
