import contextlib
import io
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tfserving_operator.core.smoke import archives, cases, encoding

NAME = "configmap goldens key cats.npz"


def npz(**content: np.ndarray) -> bytes:
    target = io.BytesIO()
    np.savez_compressed(target, **content)
    return target.getvalue()


def resolve(**content: np.ndarray) -> cases.ResolvedCases:
    return cases.resolve([], [(NAME, npz(**content))])


def test_without_names_an_archive_is_one_case_of_all_rows():
    found = resolve(x=np.ones((3, 2), np.float32), **{"expect.y": np.zeros((3, 1))})

    (case,) = found.cases
    assert case.name == "cats"
    assert case.inputs["x"].shape == (3, 2)
    assert case.expect.outputs["y"].shape == (3, 1)


def test_with_names_each_row_is_a_case():
    found = resolve(
        x=np.arange(4, dtype=np.float32).reshape(2, 2),
        word=np.array(["a", "b"]),
        names=np.array(["one", "two"]),
        rtol=np.float64(0.1),
        **{"expect.y": np.array([[1.0], [2.0]])},
    )

    assert [case.name for case in found.cases] == ["one", "two"]
    assert [case.inputs["word"] for case in found.cases] == [["a"], ["b"]]
    assert found.cases[1].expect.rtol == 0.1
    assert (
        encoding.body(found.cases[1], "s")
        == b'{"inputs":{"word":["b"],"x":[[2.0,3.0]]},"signature_name":"s"}'
    )


def test_several_sources_add_up():
    found = cases.resolve(
        [{"name": "inline", "instances": [[1.0]]}],
        [(NAME, npz(x=np.ones((1, 1)))), ("configmap g key c.json", '[{"name": "j", "instances": [[2.0]]}]')],
    )
    assert [case.name for case in found.cases] == ["inline", "cats", "j"]


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(
        st.sampled_from([np.float32, np.float64, np.float16, np.int64, np.uint8, np.bool_, ">f4"]),
        arrays.array_shapes(min_dims=1, max_dims=3, max_side=4),
    )
)
def test_what_is_pinned_is_read_back(values):
    found = cases.resolve([], [(NAME, npz(x=values, names=np.array([f"c{i}" for i in range(len(values))])))])

    again = cases.from_pinned(found.canonical)
    assert again.digest == found.digest
    for before, after in zip(found.cases, again.cases, strict=True):
        np.testing.assert_array_equal(before.inputs["x"], after.inputs["x"])
        assert encoding.body(before, "s") == encoding.body(after, "s")


def test_a_large_input_is_pinned_compressed():
    found = resolve(x=np.tile(np.arange(224 * 224 * 3, dtype=np.uint8).reshape(1, 224, 224, 3), (8, 1, 1, 1)))

    assert found.size > 1_000_000 > len(found.canonical)
    assert cases.is_compressed(found.canonical)
    assert cases.from_pinned(found.canonical).digest == found.digest


def test_what_a_config_map_holds_as_an_archive_can_be_pinned_too():
    image = np.cumsum(np.random.default_rng(1).integers(-2, 3, (8, 224, 224, 3)), axis=2).astype(np.uint8)
    assert 800_000 < len(npz(x=image)) < 980_000

    assert len(resolve(x=image).canonical) <= cases.MAX_PINNED_BYTES


def test_what_cannot_be_pinned_even_compressed_says_what_to_do():
    noise = np.random.default_rng(1).integers(0, 255, (9, 224, 224, 3), dtype=np.uint8)
    with pytest.raises(
        cases.InvalidCases, match="compressed bytes can be pinned in a ConfigMap: use fewer rows"
    ):
        resolve(x=noise)


def test_a_pin_that_unpacks_to_too_much_is_refused():
    import gzip

    with pytest.raises(cases.InvalidCases, match="more than"):
        cases.from_pinned(gzip.compress(b" " * (cases.MAX_CANONICAL_BYTES + 10)))


def archive_of(name: str, content: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return target.getvalue()


def header(text: str) -> bytes:
    body = text.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(body).to_bytes(2, "little") + body


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PK\x03\x04 no", "no .npz"),
        (b"", "no .npz"),
        (npz(names=np.array(["a"])), "holds no input"),
        (npz(x=np.ones((2, 1)), names=np.array(["a"])), "2 rows for 1 names"),
        (npz(x=np.array([{"a": 1}], dtype=object)), "only numbers, booleans and text"),
        (npz(x=np.ones(2, dtype=np.complex64)), "only numbers, booleans and text"),
        (archive_of("x.npy", b"\0" * 40_000_000), "bytes unpacked"),
        (archive_of("x.npy", b"hello"), "cannot be read"),
        (
            archive_of("x.npy", header("{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999,)}")),
            "claims 7999999999992 bytes",
        ),
        (
            archive_of("x.npy", header("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}")),
            "only numbers",
        ),
        (archive_of("x.npy", header("{'descr': '<f8', 'shape': __import__('os')}")), "cannot be read"),
    ],
)
def test_a_hostile_archive_is_refused_at_little_cost(data, words):
    tracemalloc.start()
    try:
        with pytest.raises(cases.InvalidCases, match=words):
            cases.resolve([], [(NAME, data)])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 600), st.binary(max_size=8))
def test_garbage_never_does_more_than_be_refused(garbage, at, patch):
    good = npz(x=np.ones((2, 2)))
    for data in (garbage, good[:at] + patch + good[at + len(patch) :]):
        with contextlib.suppress(archives.InvalidArchiveError):
            archives.parse(data, "x")
