"""Cases as numpy arrays: an .npz file with inputs by name, and goldens as `expect.<output>`.

Nothing in it is unpickled, and a small file that claims to hold a lot is refused before it is unpacked.
"""

import base64
import binascii
import io
import math
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

MAX_BYTES: Final = 32 * 1024 * 1024
"""Of all arrays together, unpacked."""
MAX_ARRAYS: Final = 128
_RESERVED: Final = ("names", "rtol", "atol")
_EXPECT: Final = "expect."
_KINDS: Final = "fiubUS"
_MARK: Final = "npy"
_PLAIN: Final = "b64"
_PACKED: Final = "zlib"

Array = np.ndarray[Any, Any]


class InvalidArchiveError(ValueError):
    """The bytes are no .npz of cases; the message says why."""


def parse(data: bytes, name: str) -> list[dict[str, Any]]:
    """Read an archive as raw cases: one case of all rows, or, with an array `names`, one for each row.

    Parameters
    ----------
    data
        The file.
    name
        What the case is called without `names`.

    Raises
    ------
    InvalidArchiveError
        When it cannot be used.
    """
    arrays = _load(data)
    options = {key: arrays.pop(key) for key in _RESERVED if key in arrays}
    tolerances: dict[str, float] = {
        key: float(options[key].reshape(-1)[0]) for key in ("rtol", "atol") if key in options
    }
    outputs = {key.removeprefix(_EXPECT): arrays.pop(key) for key in list(arrays) if key.startswith(_EXPECT)}
    if not arrays:
        raise InvalidArchiveError("it holds no input: save arrays by the names of the model's inputs")
    names = [str(each) for each in options["names"].reshape(-1)] if "names" in options else []
    everything = {**arrays, **outputs}
    lengths = {key: len(each) if each.ndim else 0 for key, each in everything.items()}
    if not names:
        return [_case(name, arrays, outputs, tolerances)]
    for key, length in lengths.items():
        if length != len(names):
            raise InvalidArchiveError(
                f"array {key} has {length} rows for {len(names)} names: give one for each"
            )
    return [
        _case(
            each,
            {key: array[i : i + 1] for key, array in arrays.items()},
            {key: array[i : i + 1] for key, array in outputs.items()},
            tolerances,
        )
        for i, each in enumerate(names)
    ]


def to_wire(value: Any, *, packed: bool = False) -> Any:
    """Write the arrays within a case's values as JSON types; other values stay as they are.

    Packed ones are shorter, and their text is not the same with every version of zlib: no digest is made of it.
    """
    if isinstance(value, np.ndarray):
        plain = np.ascontiguousarray(value)
        plain = plain.astype(plain.dtype.newbyteorder("<"))
        data = zlib.compress(plain.tobytes()) if packed else plain.tobytes()
        key = _PACKED if packed else _PLAIN
        text = base64.b64encode(data).decode()
        return {_MARK: {"dtype": plain.dtype.str, "shape": list(plain.shape), key: text}}
    if isinstance(value, Mapping):
        return {key: to_wire(each, packed=packed) for key, each in value.items()}
    return value


def from_wire(value: Any) -> Any:
    """Read back what `to_wire` wrote.

    Raises
    ------
    InvalidArchiveError
        When an array's bytes are not those of its shape.
    """
    if not isinstance(value, dict):
        return value
    if value.keys() != {_MARK}:
        return {key: from_wire(each) for key, each in value.items()}
    try:
        raw = value[_MARK]
        dtype, shape = np.dtype(raw["dtype"]), tuple(int(size) for size in raw["shape"])
        size = math.prod(shape) * dtype.itemsize
        if dtype.kind not in "fiub" or not 0 <= size <= MAX_BYTES:
            raise InvalidArchiveError(f"an array of {dtype} and {size} bytes")
        data = base64.b64decode(raw[_PACKED] if _PACKED in raw else raw[_PLAIN])
        if _PACKED in raw:
            data = zlib.decompressobj().decompress(data, size + 1)
        return np.frombuffer(data, dtype=dtype).reshape(shape)
    except (KeyError, TypeError, ValueError, binascii.Error, zlib.error) as error:
        raise InvalidArchiveError(f"an array cannot be read: {error}") from None


def _case(
    name: str, inputs: Mapping[str, Array], outputs: Mapping[str, Array], tolerances: Mapping[str, float]
) -> dict[str, Any]:
    raw: dict[str, Any] = {"name": name, "inputs": {key: _values(array) for key, array in inputs.items()}}
    if outputs:
        raw["expect"] = {"outputs": {key: _values(array) for key, array in outputs.items()}, **tolerances}
    return raw


def _values(array: Array) -> Any:
    if array.dtype.kind == "U":
        return array.tolist()
    if array.dtype.kind == "S":
        try:
            return np.char.decode(array, "utf-8").tolist()
        except UnicodeDecodeError:
            raise InvalidArchiveError(
                "bytes that are no UTF-8: write such inputs as JSON, {b64: …}"
            ) from None
    return array


def _load(data: bytes) -> dict[str, Array]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > MAX_ARRAYS or sum(member.file_size for member in members) > MAX_BYTES:
                raise InvalidArchiveError(
                    f"it holds more than {MAX_ARRAYS} arrays or {MAX_BYTES} bytes unpacked"
                )
            return {member.filename.removesuffix(".npy"): _read(archive, member) for member in members}
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise InvalidArchiveError(f"it is no .npz file: {str(error)[:100]}") from None


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    name = member.filename
    try:
        with archive.open(member) as file:
            version = np.lib.format.read_magic(file)
            read_header = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, is_fortran, dtype = read_header(file)
            if dtype.kind not in _KINDS:
                raise InvalidArchiveError(
                    f"array {name} holds {dtype}: only numbers, booleans and text are read"
                )
            size = math.prod(shape) * dtype.itemsize
            if size > member.file_size:
                raise InvalidArchiveError(f"array {name} claims {size} bytes, and has {member.file_size}")
            flat = np.frombuffer(file.read(size), dtype=dtype)
    except (ValueError, SyntaxError, TypeError) as error:
        if isinstance(error, InvalidArchiveError):
            raise
        raise InvalidArchiveError(f"array {name} cannot be read: {str(error)[:100]}") from None
    array = flat.reshape(shape[::-1]).T if is_fortran else flat.reshape(shape)
    return np.ascontiguousarray(array.astype(dtype.newbyteorder("=")))
