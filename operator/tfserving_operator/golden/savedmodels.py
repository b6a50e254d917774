"""A SavedModel, run by TensorFlow's own Python: the reference that serving is compared with."""

import base64
import importlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from tfserving_operator.golden import errors, records, references

_INSTALL: Final = "TensorFlow is not installed: pip install 'tfserving-operator[tensorflow]'"


class SavedModel:
    """One signature of a SavedModel."""

    def __init__(self, *, name: str, function: Any, tensorflow: Any) -> None:
        self.name = name
        self.tensorflow_version: str = tensorflow.__version__
        self._function = function
        self._tensorflow = tensorflow
        self._inputs: dict[str, Any] = dict(sorted(function.structured_input_signature[1].items()))

    @classmethod
    def load(cls, folder: Path, signature_name: str) -> Self:
        """Load a version folder, the one with `saved_model.pb`.

        Raises
        ------
        GoldenError
            When TensorFlow is not installed, or cannot load it, or there is no such signature.
        """
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        try:
            tensorflow = importlib.import_module("tensorflow")
        except ModuleNotFoundError as error:
            raise errors.GoldenError(_INSTALL) from error
        try:
            loaded = tensorflow.saved_model.load(str(folder))
        except Exception as error:
            raise errors.GoldenError(f"TensorFlow cannot load {folder}: {error}") from error
        names = sorted(loaded.signatures)
        if signature_name not in names:
            raise errors.GoldenError(
                f'{folder} has no signature "{signature_name}"; it has {", ".join(names) or "none"}'
            )
        return cls(name=str(folder), function=_kept(loaded, signature_name), tensorflow=tensorflow)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the signature's inputs."""
        return tuple(self._inputs)

    def predict(self, rows: Sequence[records.Record]) -> references.Outputs:
        """Answer records in one batch."""
        columns = records.columns(rows, self.inputs)
        try:
            tensors = {name: self._tensor(name, values) for name, values in columns.items()}
            found = self._function(**tensors)
        except errors.GoldenError:
            raise
        except Exception as error:
            text = " ".join(str(error).split())[:500]
            raise errors.GoldenError(f"{self.name} cannot answer {len(rows)} records: {text}") from error
        return {name: _plain(tensor.numpy()) for name, tensor in found.items()}

    def _tensor(self, name: str, values: Sequence[Any]) -> Any:
        spec = self._inputs[name]
        if spec.dtype == self._tensorflow.string:
            return self._tensorflow.constant(_strings(values), dtype=spec.dtype)
        return self._tensorflow.constant(np.asarray(values), dtype=spec.dtype)


def _kept(loaded: Any, signature_name: str) -> Any:
    """The signature's function; it only holds its variables while the loaded object lives."""
    function = loaded.signatures[signature_name]
    function.owner_kept_alive = loaded
    return function


def _strings(values: Any) -> Any:
    if isinstance(values, Mapping):
        return base64.b64decode(values["b64"])
    if isinstance(values, list | tuple):
        return [_strings(value) for value in values]
    return str(values).encode()


def _plain(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if array.dtype == object:
        text = [value.decode("utf-8", "replace") for value in array.ravel()]
        return np.asarray(text).reshape(array.shape)
    return array if array.dtype.kind in "fiub" else array.astype(np.float32)  # bfloat16 is numpy's "V"
