"""One loaded version of a model: its session and its signatures."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, Self

from local.modelserver import errors, protos, runtime, tensors

DEFAULT_SIGNATURE: Final = "serving_default"
"""The signature of a request that names none."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TensorInfo:
    """A named input or output of a signature.

    Attributes
    ----------
    tensor_name
        The tensor in the graph, like ``x:0``.
    dtype
        The number of its element type.
    """

    tensor_name: str
    dtype: int


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """A callable of the model; inputs and outputs by the names that clients use, in the order of their names."""

    name: str
    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]


class Session(Protocol):
    """What runs a graph: the runtime's session, or one around it."""

    def run(
        self, feeds: Mapping[str, tensors.Tensor], fetches: Sequence[str], *, timeout_ms: int | None = None
    ) -> list[tensors.Tensor]:
        """Run the graph on tensors by their names in it; without a timeout, the session's own counts."""
        ...

    def close(self) -> None:
        """Give the memory back."""
        ...


class SavedModel:
    """A SavedModel that the runtime holds in memory."""

    def __init__(self, session: Session, signature_defs: Any) -> None:
        self._session = session
        self.signature_defs = signature_defs
        self._signatures = {name: _signature(name, proto) for name, proto in signature_defs.items()}

    @classmethod
    def load(cls, path: str, settings: runtime.SessionSettings) -> Self:
        """Load a version's folder."""
        session = runtime.Session.load(path, settings)
        meta_graph = protos.meta_graph_pb2.MetaGraphDef.FromString(session.meta_graph)
        session.meta_graph = b""
        kept = protos.get_model_metadata_pb2.SignatureDefMap()
        for name, proto in meta_graph.signature_def.items():
            kept.signature_def[name].CopyFrom(proto)
        return cls(session, kept.signature_def)

    def wrap_session(self, wrap: Callable[[Session], Session]) -> None:
        """Put another session around the one that there is."""
        self._session = wrap(self._session)

    def signature(self, name: str) -> Signature | None:
        """Return a signature by name; the empty name is the default one's."""
        return self._signatures.get(name or DEFAULT_SIGNATURE)

    def predict(
        self, signature: Signature, inputs: Mapping[str, tensors.Tensor]
    ) -> dict[str, tensors.Tensor]:
        """Run a signature on tensors by the names of its inputs."""
        feeds = {signature.inputs[name].tensor_name: tensor for name, tensor in inputs.items()}
        fetches = [info.tensor_name for info in signature.outputs.values()]
        results = self.run(feeds, fetches)
        if len(results) != len(fetches):
            raise errors.ServingError(errors.Code.UNKNOWN, "Predict internal error")
        return dict(zip(signature.outputs, results, strict=True))

    def run(
        self,
        feeds: Mapping[str, tensors.Tensor],
        fetches: Sequence[str],
        *,
        timeout_ms: int | None = None,
    ) -> list[tensors.Tensor]:
        """Run the graph on tensors by their names in it; without a timeout, the session's own counts."""
        return self._session.run(feeds, fetches, timeout_ms=timeout_ms)

    def close(self) -> None:
        """Give the memory back."""
        self._session.close()


def _signature(name: str, proto: Any) -> Signature:
    return Signature(name=name, inputs=_infos(proto.inputs), outputs=_infos(proto.outputs))


def _infos(protos_by_name: Any) -> dict[str, TensorInfo]:
    return {
        name: TensorInfo(tensor_name=protos_by_name[name].name, dtype=protos_by_name[name].dtype)
        for name in sorted(protos_by_name)
    }
