"""TensorFlow's C API, declared for ctypes.

Calls that may take long go through a library handle that releases the interpreter's lock; the many short ones
keep it, because giving it up and asking for it back costs more than the call when other threads are busy.
"""

# The runtime exports the symbols of its own BoringSSL. Whatever uses OpenSSL must be bound before it is loaded.
import contextlib
import ctypes
import hashlib  # noqa: F401
import hmac  # noqa: F401
import os
import ssl  # noqa: F401
from typing import Any, Final, Self

import numpy.random  # noqa: F401

from local.modelserver import errors, protos

Pointer = ctypes.c_void_p
TSTRING_BYTES: Final = 24
"""The size of one ``TF_TString``, the element of a string tensor."""


class Buffer(ctypes.Structure):
    """``TF_Buffer``."""

    _fields_ = (("data", ctypes.c_void_p), ("length", ctypes.c_size_t), ("deallocator", ctypes.c_void_p))


class Output(ctypes.Structure):
    """``TF_Output``: one output of one operation."""

    _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


_Int64s = ctypes.POINTER(ctypes.c_int64)
_Strings = ctypes.POINTER(ctypes.c_char_p)
_Outputs = ctypes.POINTER(Output)
_Pointers = ctypes.POINTER(ctypes.c_void_p)
_Buffer = ctypes.POINTER(Buffer)

_SHORT: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "TF_Version": (ctypes.c_char_p, ()),
    "TF_NewStatus": (Pointer, ()),
    "TF_DeleteStatus": (None, (Pointer,)),
    "TF_GetCode": (ctypes.c_int, (Pointer,)),
    "TF_Message": (ctypes.c_char_p, (Pointer,)),
    "TF_NewBuffer": (_Buffer, ()),
    "TF_NewBufferFromString": (_Buffer, (ctypes.c_char_p, ctypes.c_size_t)),
    "TF_DeleteBuffer": (None, (_Buffer,)),
    "TF_NewSessionOptions": (Pointer, ()),
    "TF_DeleteSessionOptions": (None, (Pointer,)),
    "TF_SetConfig": (None, (Pointer, ctypes.c_char_p, ctypes.c_size_t, Pointer)),
    "TF_NewGraph": (Pointer, ()),
    "TF_DeleteGraph": (None, (Pointer,)),
    "TF_NewImportGraphDefOptions": (Pointer, ()),
    "TF_DeleteImportGraphDefOptions": (None, (Pointer,)),
    "TF_GraphImportGraphDef": (None, (Pointer, _Buffer, Pointer, Pointer)),
    "TF_NewSession": (Pointer, (Pointer, Pointer, Pointer)),
    "TF_GraphOperationByName": (Pointer, (Pointer, ctypes.c_char_p)),
    "TF_AllocateTensor": (Pointer, (ctypes.c_int, _Int64s, ctypes.c_int, ctypes.c_size_t)),
    "TF_DeleteTensor": (None, (Pointer,)),
    "TF_TensorType": (ctypes.c_int, (Pointer,)),
    "TF_NumDims": (ctypes.c_int, (Pointer,)),
    "TF_Dim": (ctypes.c_int64, (Pointer, ctypes.c_int)),
    "TF_TensorByteSize": (ctypes.c_size_t, (Pointer,)),
    "TF_TensorData": (Pointer, (Pointer,)),
    "TF_StringInit": (None, (Pointer,)),
    "TF_StringCopy": (None, (Pointer, ctypes.c_char_p, ctypes.c_size_t)),
    "TF_StringGetDataPointer": (Pointer, (Pointer,)),
    "TF_StringGetSize": (ctypes.c_size_t, (Pointer,)),
}
_LONG: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "TF_LoadSessionFromSavedModel": (
        Pointer,
        (Pointer, _Buffer, ctypes.c_char_p, _Strings, ctypes.c_int, Pointer, _Buffer, Pointer),
    ),
    "TF_SessionRun": (
        None,
        (
            *(Pointer, _Buffer),
            *(_Outputs, _Pointers, ctypes.c_int),
            *(_Outputs, _Pointers, ctypes.c_int),
            *(_Pointers, ctypes.c_int),
            *(_Buffer, Pointer),
        ),
    ),
    "TF_CloseSession": (None, (Pointer, Pointer)),
    "TF_DeleteSession": (None, (Pointer, Pointer)),
}


def _bind(library: ctypes.CDLL, table: dict[str, tuple[Any, tuple[Any, ...]]], into: dict[str, Any]) -> None:
    for name, (result, arguments) in table.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
        into[name] = function


def _load() -> dict[str, Any]:
    # oneDNN's allocator never gives memory back to the system and names itself in messages. The original has the
    # plain one; who wants the wheel's default sets the variable.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    functions: dict[str, Any] = {}
    ctypes.CDLL(str(protos.TENSORFLOW_FOLDER / "libtensorflow_framework.so.2"))
    path = str(protos.TENSORFLOW_FOLDER / "libtensorflow_cc.so.2")
    _bind(ctypes.CDLL(path), _LONG, functions)
    _bind(ctypes.PyDLL(path), _SHORT, functions)
    return functions


_FUNCTIONS: Final = _load()
_LIBC: Final = ctypes.CDLL(None)


def disable_xla() -> None:
    """Make every later attempt to compile a graph fail, as the original does unless a flag says otherwise."""
    # There is no such function in the C API; this one takes and returns nothing, and is exported.
    path = str(protos.TENSORFLOW_FOLDER / "libtensorflow_cc.so.2")
    ctypes.CDLL(path)["_ZN10tensorflow21DisableXlaCompilationEv"]()


def call(name: str, *arguments: Any) -> Any:
    """Call a function of the C API by its name."""
    return _FUNCTIONS[name](*arguments)


class Status:
    """A ``TF_Status`` for one call, to be used in a ``with`` block."""

    __slots__ = ("pointer",)

    def __enter__(self) -> Self:
        self.pointer = call("TF_NewStatus")
        return self

    def __exit__(self, *_: object) -> None:
        call("TF_DeleteStatus", self.pointer)

    def check(self) -> None:
        """Raise what the call reported, if it failed."""
        code = call("TF_GetCode", self.pointer)
        if code != errors.Code.OK:
            message = call("TF_Message", self.pointer).decode("utf-8", "surrogateescape")
            raise errors.ServingError(errors.Code(code), message)


def trim_heap() -> None:
    """Give the pages back to the system that no allocation uses.

    What requests on many threads leave behind in a version's lifetime is scattered, and adds up from swap to swap.
    """
    with contextlib.suppress(AttributeError):  # glibc has it; other C libraries need none
        _LIBC.malloc_trim(0)
