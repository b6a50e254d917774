"""The ways in which the rows of cases are sent: as written, alone, and several cases' rows in one request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import cases

MAX_ALONE_PER_CASE: Final = 8
MAX_ALONE: Final = 32
"""Requests with one row each, over all cases."""
MAX_TOGETHER: Final = 32
"""Rows in one joint request."""
MAX_TOGETHER_BYTES: Final = 8 * 1024 * 1024
"""Of the joint request's body."""

RowKey = tuple[str, int]
"""A case's name and the index of the row in that case."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Joint:
    """Rows of several cases as one case, without an expectation."""

    rows: tuple[RowKey, ...]
    case: cases.Case


def is_batched(signature: inspection.Signature | None) -> bool:
    """Whether the first axis of every input and output is a batch of any size, as far as the signature tells."""
    if signature is None:
        return True
    shapes = [tensor.shape for tensor in (*signature.inputs.values(), *signature.outputs.values())]
    return all(shape is None or (len(shape) > 0 and shape[0] < 0) for shape in shapes)


def rows(case: cases.Case) -> tuple[cases.Case, ...]:
    """Each row of a case as a case of one row; the case itself where its rows cannot be told apart."""
    bare = replace(case, expect=None, images=())
    if case.instances is not None:
        return tuple(replace(bare, instances=case.instances[i : i + 1]) for i in range(len(case.instances)))
    many = _row_count(case.inputs)
    return tuple(replace(bare, inputs=_sliced(case.inputs, i)) for i in range(many)) if many else (bare,)


def count(case: cases.Case) -> int:
    """How many rows a case has; 1 where they cannot be told apart."""
    return len(case.instances) if case.instances is not None else _row_count(case.inputs) or 1


def alone(
    sent: Sequence[cases.Case], signature: inspection.Signature | None
) -> dict[str, tuple[cases.Case, ...]]:
    """Plan the rows to be sent one by one, for each case with several; in turn, so that every case gets some."""
    if not is_batched(signature):
        return {}
    found = {case.name: rows(case)[:MAX_ALONE_PER_CASE] for case in sent}
    several = {name: split for name, split in found.items() if len(split) > 1}
    share = MAX_ALONE // max(len(several), 1)
    return {name: split[: max(share, 2)] for name, split in list(several.items())[: MAX_ALONE // 2]}


def together(
    sent: Sequence[cases.Case],
    sizes: Mapping[str, int],
    signature: inspection.Signature | None,
    most_rows: int | None = None,
) -> Joint | None:
    """Plan one request of several cases' rows, of as many as have an equal structure and fit.

    Parameters
    ----------
    sent
        The cases whose rows may be joined.
    sizes
        Bytes of each case's body.
    most_rows
        The most that the server takes in one request; None where it takes any number.
    """
    if not is_batched(signature):
        return None
    groups: dict[object, list[tuple[RowKey, cases.Case]]] = {}
    for case in sent:
        split = rows(case)
        for index, row in enumerate(split):
            structure = _structure(row)
            if structure is not None:
                groups.setdefault(structure, []).append(((case.name, index), row))
    best = max(groups.values(), key=lambda group: len({key[0] for key, _ in group}), default=[])
    counts = {case.name: count(case) for case in sent}
    chosen: list[tuple[RowKey, cases.Case]] = []
    left = MAX_TOGETHER_BYTES
    for key, row in _in_turn(best):
        left -= sizes.get(key[0], MAX_TOGETHER_BYTES) // counts[key[0]]
        if left < 0 or len(chosen) == min(MAX_TOGETHER, most_rows or MAX_TOGETHER):
            break
        chosen.append((key, row))
    return _joined(chosen) if len(chosen) > 1 else None


def permuted(joint: Joint) -> Joint:
    """Plan the same rows in another order, in which none is where it was."""
    half = len(joint.rows) // 2
    split = list(zip(joint.rows, rows(joint.case), strict=True))
    return _joined(split[half:] + split[:half])


def _in_turn(group: Sequence[tuple[RowKey, cases.Case]]) -> list[tuple[RowKey, cases.Case]]:
    """First rows of every case, then second ones, and so on."""
    return sorted(group, key=lambda item: item[0][1])


def _joined(chosen: Sequence[tuple[RowKey, cases.Case]]) -> Joint:
    first = chosen[0][1]
    keys = tuple(key for key, _ in chosen)
    if first.instances is not None:
        instances = [row for _, case in chosen for row in case.instances or ()]
        return Joint(rows=keys, case=cases.Case(name="together", instances=instances))
    parts = [case.inputs for _, case in chosen]
    inputs: Any
    if _is_named(first.inputs):
        inputs = {name: _concatenated([part[name] for part in parts]) for name in first.inputs}
    else:
        inputs = _concatenated(parts)
    return Joint(rows=keys, case=cases.Case(name="together", inputs=inputs))


def _concatenated(parts: Sequence[Any]) -> Any:
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    return [row for part in parts for row in part]


def _is_named(inputs: Any) -> bool:
    return isinstance(inputs, Mapping) and set(inputs) != {"b64"}


def _row_count(inputs: Any) -> int:
    """How many rows columnar inputs have; 0 where they have no first axis in common."""
    columns = inputs.values() if _is_named(inputs) else [inputs]
    counts = {_length(values) for values in columns}
    return counts.pop() if len(counts) == 1 else 0


def _length(values: Any) -> int:
    if isinstance(values, np.ndarray):
        return int(values.shape[0]) if values.ndim else 0
    return len(values) if isinstance(values, list | tuple) else 0


def _sliced(inputs: Any, index: int) -> Any:
    if _is_named(inputs):
        return {name: values[index : index + 1] for name, values in inputs.items()}
    return inputs[index : index + 1]


def _structure(row: cases.Case) -> object:
    """What two rows must have in common to be sent in one batch; None where a row is of no rectangular form."""
    is_row_form = row.instances is not None
    value = row.instances[0] if row.instances is not None else row.inputs
    named = value if _is_named(value) else {"": value}
    shapes = tuple(sorted((str(name), _shape(values)) for name, values in named.items()))
    return None if any(shape == "" for _, shape in shapes) else (is_row_form, shapes)


def _shape(values: Any) -> str:
    try:
        array = np.asarray(values)
    except ValueError:
        return ""
    kind = "number" if array.dtype.kind in "fiu" else array.dtype.kind
    return f"{kind}{array.shape}"
