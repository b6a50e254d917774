import json

import orjson
import pytest

from tfserving_operator.adapters.kube import decoding


def nest(levels: int, core: str = "1") -> bytes:
    return b"[" * levels + core.encode() + b"]" * levels


def depth(value: object) -> int:
    levels = 0
    while isinstance(value, list):
        value, levels = value[0], levels + 1
    return levels


@pytest.mark.parametrize("levels", [150, 300, 990, 1100, 10_000])
def test_json_of_any_depth_is_read_and_what_stands_beside_the_depth_stays(levels: int) -> None:
    text = rb'{"a":' + nest(levels) + rb',"b":"]]]\"[[[{","c":' + nest(levels, '{"x":"}"}') + rb',"d":[2]}'
    found = decoding.loads(text)
    assert (found["b"], found["d"]) == (']]]"[[[{', [2])
    assert depth(found["a"]) == min(levels, decoding.MOST_LEVELS - 1)
    assert json.loads(decoding.shallow(text)) == found


def test_json_that_is_wide_stays_as_it_is() -> None:
    wide = [{"n": [[1, 2], [3, "}{"]]}] * 1000
    assert decoding.loads(orjson.dumps(wide)) == wide
    assert decoding.shallow(orjson.dumps(wide)) == orjson.dumps(wide)


@pytest.mark.parametrize("text", [b"", b"{", b"[" * 3000, b'{"a":' + nest(3000) + b"}}", b"<html>"])
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(orjson.JSONDecodeError):
        decoding.loads(text)
