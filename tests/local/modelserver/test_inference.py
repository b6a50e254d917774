"""What the gRPC API does without a server: tensors out of protos, channel arguments, error words."""

import numpy as np
import pytest

from local.modelserver import dtypes, grpcserver, grpcservices, tensorprotos, tensors
from tests.local.modelserver import grpcclients

INT32_MAX = 2**31 - 1


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("", {}),
        ("grpc.max_connection_age_ms=2000", {"grpc.max_connection_age_ms": 2000}),
        ("a=1,b=x,a=2", {"a": 2, "b": "x"}),
        ("a=-5,b=+5,c= 5", {"a": -5, "b": 5, "c": 5}),
        ("a=2147483648,b=-2147483649,c=1.5", {"a": "2147483648", "b": "-2147483649", "c": "1.5"}),
        ("a=b=c,d=", {"a": "b", "d": ""}),
        ("a,b=1", {"b": 1}),
        ("grpc.max_receive_message_length=7", {"grpc.max_receive_message_length": 7}),
    ],
)
def test_channel_arguments_are_numbers_where_they_can_be(text: str, want: dict) -> None:
    limit = {"grpc.max_receive_message_length": INT32_MAX}
    assert grpcserver.channel_arguments(text) == limit | want


@pytest.mark.parametrize(
    ("message", "want"),
    [
        ("a" * 1024, "a" * 1024),
        ("a" * 1025, "a" * 1024 + "...TRUNCATED"),
        ("a" * 1022 + "größe", "a" * 1022 + "gr...TRUNCATED"),
        ("a" * 1023 + "ö", "a" * 1023 + "\N{REPLACEMENT CHARACTER}...TRUNCATED"),
        ("\udcff", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_an_error_has_1024_bytes_at_most(message: str, want: str) -> None:
    assert grpcservices.details_of(message) == want


def test_a_tensor_that_memory_cannot_hold_is_unreadable() -> None:
    proto = grpcclients.tensor_pb2.TensorProto(dtype=1, float_val=[1])
    proto.tensor_shape.dim.add(size=2**46)
    with pytest.raises(tensorprotos.UnreadableError):
        tensorprotos.from_proto(proto)


def test_a_view_with_gaps_is_written_in_its_own_order() -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4).T
    proto = grpcclients.tensor_pb2.TensorProto()
    tensorprotos.fill(proto, tensors.Tensor(dtype=dtypes.DType.FLOAT, array=array))
    assert list(proto.float_val) == array.ravel().tolist()
    assert np.array_equal(tensorprotos.from_proto(proto).array, array)


@pytest.mark.parametrize("as_content", [False, True], ids=["fields", "content"])
@pytest.mark.parametrize("dtype", list(dtypes.NUMPY))
def test_every_type_survives_the_way_there_and_back(dtype: dtypes.DType, as_content: bool) -> None:
    kind = dtypes.NUMPY[dtype]
    limits = np.iinfo(kind) if kind.kind in "iu" else None
    values = [limits.min, limits.max] if limits else [0, 1]
    array = np.array([values], dtype=kind)
    proto = grpcclients.tensor_pb2.TensorProto()
    tensorprotos.fill(proto, tensors.Tensor(dtype=dtype, array=array), as_content=as_content)
    assert bool(proto.tensor_content) == as_content
    back = tensorprotos.from_proto(grpcclients.tensor_pb2.TensorProto.FromString(proto.SerializeToString()))
    assert (back.dtype, back.array.dtype) == (dtype, kind)
    assert np.array_equal(back.array, array)


def test_strings_survive_as_content() -> None:
    array = np.array([[b"", b"a" * 300]], dtype=np.object_)
    proto = grpcclients.tensor_pb2.TensorProto()
    tensorprotos.fill(proto, tensors.Tensor(dtype=dtypes.DType.STRING, array=array), as_content=True)
    assert proto.tensor_content == b"\x00\xac\x02" + b"a" * 300
    assert np.array_equal(tensorprotos.from_proto(proto).array, array)
