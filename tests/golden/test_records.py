from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfserving_operator.golden import errors, records


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("a.json", "[[1, 2.5], [3, 4]]", [[1, 2.5], [3, 4]]),
        ("a.jsonl", '{"x": 1}\n\n{"x": 2}\n', [{"x": 1}, {"x": 2}]),
        ("a.yaml", "- [1, 2]\n- [3, 4]\n", [[1, 2], [3, 4]]),
        (
            "a.csv",
            "age,city\n41,Oslo\n3.5,Rome\n",
            [{"age": 41, "city": "Oslo"}, {"age": 3.5, "city": "Rome"}],
        ),
    ],
)
def test_a_file_of_records_is_read_by_its_suffix(tmp_path: Path, name: str, text: str, found: Any) -> None:
    (tmp_path / name).write_text(text)
    assert records.read(tmp_path / name) == found


def test_arrays_are_read_batch_first(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.asarray([[1, 2], [3, 4]]))
    assert records.read(tmp_path / "a.npy") == [[1, 2], [3, 4]]
    np.savez(tmp_path / "a.npz", x=np.asarray([[1], [2]]), y=np.asarray([5, 6]))
    assert records.read(tmp_path / "a.npz") == [{"x": [1], "y": 5}, {"x": [2], "y": 6}]
    np.savez(tmp_path / "b.npz", only=np.asarray([[1], [2]]))
    assert records.read(tmp_path / "b.npz") == [[1], [2]]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", b"{}", "holds no records"),
        ("a.json", b"[]", "holds no records"),
        ("a.json", b"[1,", "cannot be read"),
        ("a.json", b"\xff\xfe[", "cannot be read"),
        ("a.yaml", b"a: [b", "cannot be read"),
        ("a.csv", b"a,b\n1\n", "fewer cells"),
        ("a.txt", b"1", "not .txt"),
        ("a.npz", b"no zip", "cannot be read"),
        ("a.npy", b"\x93NUMPY", "cannot be read"),
    ],
)
def test_what_holds_no_records_is_refused_with_its_name(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(errors.GoldenError, match=said) as refused:
        records.read(tmp_path / name)
    assert name in str(refused.value)


def test_pickled_arrays_are_not_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.asarray([{"x": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(errors.GoldenError, match="cannot be read"):
        records.read(tmp_path / "a.npy")


def test_rows_become_columns_by_input_name() -> None:
    assert records.columns([[1], [2]], ["x"]) == {"x": [[1], [2]]}
    assert records.columns([{"b64": "aa=="}], ["x"]) == {"x": [{"b64": "aa=="}]}
    assert records.columns([{"x": 1, "y": 2, "z": 3}], ["x", "y"]) == {"x": [1], "y": [2]}
    with pytest.raises(errors.GoldenError, match="inputs x, y"):
        records.columns([[1]], ["x", "y"])
    with pytest.raises(errors.GoldenError, match="record 2 has no y"):
        records.columns([{"x": 1, "y": 2}, {"x": 1}], ["x", "y"])
