"""Sessions of the C++ runtime: a SavedModel is loaded, run and closed."""

import contextlib
import ctypes
import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from local.modelserver import capi, errors, protos, tensors


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SessionSettings:
    """What every session of this process is made with.

    Attributes
    ----------
    config
        The serialized ``ConfigProto``.
    tags
        The tags that name the graph to load out of a SavedModel.
    timeout_ms
        How long one run may take; 0 is for ever.
    """

    config: bytes = b""
    tags: tuple[str, ...] = ("serve",)
    timeout_ms: int = 0


def runtime_version() -> str:
    """Return the version of the C++ runtime."""
    version: bytes = capi.call("TF_Version")
    return version.decode()


def disable_xla() -> None:
    """Make every attempt to compile a graph fail."""
    capi.disable_xla()


class Session:
    """A loaded graph with its variables, safe to run from many threads at once."""

    def __init__(self, *, session: int, graph: int, run_options: Any, meta_graph: bytes) -> None:
        self._session = session
        self._graph = graph
        self._run_options = run_options
        self._operations: dict[str, tuple[int, int]] = {}
        self.meta_graph = meta_graph

    @classmethod
    def load(cls, path: str, settings: SessionSettings) -> Self:
        """Load a SavedModel's folder, as the original's loader does."""
        meta_graph = capi.call("TF_NewBuffer")
        tags = (ctypes.c_char_p * len(settings.tags))(*(tag.encode() for tag in settings.tags))
        try:
            with _session_options(settings.config) as options, _new_graph() as graph, capi.Status() as status:
                session = capi.call(
                    "TF_LoadSessionFromSavedModel",
                    *(options, None, os.fsencode(path), tags, len(tags), graph, meta_graph, status.pointer),
                )
                status.check()
            serialized = ctypes.string_at(meta_graph.contents.data, meta_graph.contents.length)
        finally:
            capi.call("TF_DeleteBuffer", meta_graph)
        return cls(
            session=session, graph=graph, run_options=_run_options(settings.timeout_ms), meta_graph=serialized
        )

    @classmethod
    def of_graph(cls, graph_def: bytes) -> Self:
        """Make a session of a graph without variables, for the server's own needs."""
        buffer = capi.call("TF_NewBufferFromString", graph_def, len(graph_def))
        import_options = capi.call("TF_NewImportGraphDefOptions")
        try:
            with _session_options(b"") as options, _new_graph() as graph, capi.Status() as status:
                capi.call("TF_GraphImportGraphDef", graph, buffer, import_options, status.pointer)
                status.check()
                session = capi.call("TF_NewSession", graph, options, status.pointer)
                status.check()
        finally:
            capi.call("TF_DeleteImportGraphDefOptions", import_options)
            capi.call("TF_DeleteBuffer", buffer)
        return cls(session=session, graph=graph, run_options=None, meta_graph=b"")

    def run(
        self,
        feeds: Mapping[str, tensors.Tensor],
        fetches: Sequence[str],
        *,
        timeout_ms: int | None = None,
    ) -> list[tensors.Tensor]:
        """Run the graph; names are those of tensors, like ``dense:0``.

        Without a timeout the settings' own counts; 0 is for ever.
        """
        run_options = self._run_options if timeout_ms is None else _run_options(timeout_ms)
        feed_places = self._outputs(feeds)
        fetch_places = self._outputs(fetches)
        fed = (ctypes.c_void_p * len(feeds))()
        fetched = (ctypes.c_void_p * len(fetches))()
        try:
            for i, tensor in enumerate(feeds.values()):
                fed[i] = tensors.to_runtime(tensor)
            with capi.Status() as status:
                capi.call(
                    "TF_SessionRun",
                    *(self._session, run_options),
                    *(feed_places, fed, len(fed)),
                    *(fetch_places, fetched, len(fetched)),
                    *(None, 0, None, status.pointer),
                )
                status.check()
            return [tensors.from_runtime(handle) for handle in fetched if handle is not None]
        finally:
            for handle in (*fed, *fetched):
                tensors.delete(handle)
            if run_options is not None and run_options is not self._run_options:
                capi.call("TF_DeleteBuffer", run_options)

    def _outputs(self, names: Mapping[str, Any] | Sequence[str]) -> ctypes.Array[capi.Output]:
        places = (capi.Output * len(names))()
        for place, name in zip(places, names, strict=True):
            place.operation, place.index = self._operation(name)
        return places

    def _operation(self, name: str) -> tuple[int, int]:
        found = self._operations.get(name)
        if found is None:
            operation_name, _, index = name.partition(":")
            operation = capi.call("TF_GraphOperationByName", self._graph, operation_name.encode())
            if operation is None:
                raise errors.ServingError(
                    errors.Code.NOT_FOUND,
                    f"Tensor {name}, specified in either feed_devices or fetch_devices was not found in the Graph",
                )
            found = self._operations[name] = (operation, int(index or 0))
        return found

    def close(self) -> None:
        """Give the session's memory back; nothing may run any more."""
        with capi.Status() as status:
            capi.call("TF_CloseSession", self._session, status.pointer)
            capi.call("TF_DeleteSession", self._session, status.pointer)
        capi.call("TF_DeleteGraph", self._graph)
        if self._run_options is not None:
            capi.call("TF_DeleteBuffer", self._run_options)


@contextlib.contextmanager
def _session_options(config: bytes) -> Iterator[int]:
    options = capi.call("TF_NewSessionOptions")
    try:
        with capi.Status() as status:
            capi.call("TF_SetConfig", options, config, len(config), status.pointer)
            status.check()
        yield options
    finally:
        capi.call("TF_DeleteSessionOptions", options)


@contextlib.contextmanager
def _new_graph() -> Iterator[int]:
    """Make a graph that is deleted again if what follows fails."""
    graph = capi.call("TF_NewGraph")
    try:
        yield graph
    except BaseException:
        capi.call("TF_DeleteGraph", graph)
        raise


def _run_options(timeout_ms: int) -> Any:
    if timeout_ms <= 0:
        return None
    serialized = protos.config_pb2.RunOptions(timeout_in_ms=timeout_ms).SerializeToString()
    return capi.call("TF_NewBufferFromString", serialized, len(serialized))
