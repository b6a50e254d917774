"""The user's own Python training pipeline as a reference: raw record in, prediction out."""

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from tfserving_operator.golden import errors, records, references


@dataclass(frozen=True, kw_only=True, slots=True)
class Pipeline:
    """A function that answers one raw record."""

    name: str
    function: Callable[[Any], Any]
    only_output: str
    """The output's name where the function returns a bare array."""
    digest: str
    """`sha256:<hex>` of the module's source, "" where there is none."""

    @classmethod
    def load(cls, path: str, only_output: str) -> Self:
        """Import `module:function`, from the working directory too.

        Raises
        ------
        GoldenError
            When it is not there.
        """
        module_name, _, function_name = path.partition(":")
        if not module_name or not function_name:
            raise errors.GoldenError(
                f"--pipeline is module:function, such as training.serve:predict; it is {path}"
            )
        folder = str(Path.cwd())
        if folder not in sys.path:
            sys.path.insert(0, folder)
        try:
            module = importlib.import_module(module_name)
        except ImportError as error:
            raise errors.GoldenError(f"--pipeline {path}: {error}") from error
        function = getattr(module, function_name, None)
        if not callable(function):
            raise errors.GoldenError(f"--pipeline {path}: {module_name} has no function {function_name}")
        return cls(name=path, function=function, only_output=only_output, digest=_digest(module))

    def predict(self, rows: Sequence[records.Record]) -> references.Outputs:
        """Answer records one by one."""
        answers = [self._one(i, row) for i, row in enumerate(rows)]
        names = answers[0].keys()
        for i, answer in enumerate(answers):
            if answer.keys() != names:
                raise errors.GoldenError(f"{self.name}: record {i + 1} has other outputs than the first one")
        try:
            return {name: np.stack([answer[name] for answer in answers]) for name in names}
        except ValueError as error:
            raise errors.GoldenError(f"{self.name}: predictions differ in shape: {error}") from error

    def _one(self, i: int, row: records.Record) -> dict[str, np.ndarray[Any, Any]]:
        try:
            raw = self.function(row)
        except Exception as error:
            raise errors.GoldenError(
                f"{self.name} raised {type(error).__name__} for record {i + 1}: {error}"
            ) from error
        named = raw if isinstance(raw, Mapping) else {self.only_output: raw}
        found = {str(name): np.asarray(value) for name, value in named.items()}
        for name, array in found.items():
            if not name:
                raise errors.GoldenError(
                    f"{self.name} returns values without a name: return {{OUTPUT: values}}, or give --output"
                )
            if array.dtype.kind not in "fiubU":
                raise errors.GoldenError(
                    f"{self.name}: output {name} is {array.dtype}: return numbers, booleans or strings"
                )
        return found


def _digest(module: Any) -> str:
    try:
        source = inspect.getsource(module)
    except (OSError, TypeError):
        return ""
    return f"sha256:{hashlib.sha256(source.encode()).hexdigest()}"
