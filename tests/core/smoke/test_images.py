import base64
import io
import struct
import zlib

import numpy as np
import PIL.Image
import pytest

from tfserving_operator.core.smoke import cases, encoding, images

PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def png(pixels: np.ndarray = PIXELS) -> str:
    target = io.BytesIO()
    PIL.Image.fromarray(pixels).save(target, format="PNG")
    return base64.b64encode(target.getvalue()).decode()


def bomb(width: int, height: int) -> str:
    """A PNG of some bytes that claims to be of any size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return base64.b64encode(body + chunk(b"IEND", b"")).decode()


def decoded(**decode: object) -> np.ndarray:
    found = cases.resolve([{"name": "cat", "images": [{"b64": png(), "decode": decode}]}])
    (case,) = images.decoded(found.cases)
    return np.asarray(case.instances)


@pytest.mark.parametrize(
    ("decode", "expected"),
    [
        ({}, PIXELS),
        ({"channels": "BGR"}, PIXELS[..., ::-1]),
        ({"dtype": "float32"}, PIXELS.astype(np.float32)),
        ({"scale": "0..1"}, PIXELS.astype(np.float32) / 255),
        ({"scale": "-1..1"}, PIXELS.astype(np.float32) / 127.5 - 1),
        ({"format": "PNG", "height": 4, "width": 6}, PIXELS),
    ],
)
def test_an_image_is_decoded_as_it_says(decode, expected):
    found = decoded(**decode)

    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected[None], rtol=1e-6)


def test_an_image_is_made_gray_and_resized():
    assert decoded(channels="Gray", height=8, width=3).shape == (1, 8, 3, 1)


def test_what_is_sent_are_the_decoded_values_and_what_is_pinned_is_the_file():
    found = cases.resolve([{"name": "cat", "images": [{"b64": png()}, {"b64": png()}]}])
    (case,) = images.decoded(found.cases)

    assert encoding.body(case, "s").startswith(b'{"instances":[[[[0,1,2],[3,4,5]')
    assert png().encode() in found.canonical
    assert cases.from_pinned(found.canonical) == found


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ({"b64": "%%%"}, "no base64"),
        ({"b64": base64.b64encode(b"GIF89a-no").decode()}, "no image that can be read"),
        ({"b64": bomb(60_000, 60_000)}, "no image that can be read|pixels are more than"),
        ({"b64": bomb(8_000, 8_000)}, "64000000|8000x8000 pixels are more than 16000000"),
        ({"b64": png(), "decode": {"format": "JPEG"}}, "no image that can be read"),
        ({"b64": png(), "decode": {"channels": "RGBA"}}, "channels must be one of RGB, BGR, Gray"),
        ({"b64": png(), "decode": {"height": -1}}, "height must be a whole number"),
        ({"b64": png(), "decode": {"mode": 1}}, "unknown field mode"),
        ({"b64": png(), "decode": {"scale": "0..1", "dtype": "uint8"}}, "need dtype float32"),
        ({"b64": png(), "decode": []}, "known are"),
        ({"file": "cat.png"}, "write {b64"),
    ],
)
def test_an_image_that_cannot_be_used_is_refused_by_its_place(image, words):
    if image.get("decode") == []:
        image = {**image, "decode": ["x"]}
    with pytest.raises(cases.InvalidCases, match=words) as raised:
        cases.resolve([{"name": "cat", "images": [image]}])
    assert 'smoke.cases[0] ("cat"): images[0]' in str(raised.value)


def test_a_file_that_is_cut_off_is_refused_when_it_is_decoded():
    found = cases.resolve([{"name": "cat", "images": [{"b64": bomb(100, 100)}]}])
    with pytest.raises(cases.InvalidCases, match="cannot be decoded"):
        images.decoded(found.cases)


def test_images_of_several_sizes_need_a_size():
    found = cases.resolve(
        [{"name": "cat", "images": [{"b64": png()}, {"b64": png(np.zeros((2, 2, 3), np.uint8))}]}]
    )
    with pytest.raises(cases.InvalidCases, match="differ in size"):
        images.decoded(found.cases)


def test_all_images_together_are_bounded():
    large = {"b64": png(), "decode": {"height": 2000, "width": 2000}}
    found = cases.resolve([{"name": "cat", "images": [large, large]}])
    with pytest.raises(cases.InvalidCases, match="more than 12000000 values"):
        images.decoded(found.cases)


def test_goldens_have_a_row_for_each_image():
    with pytest.raises(cases.InvalidCases, match="1 rows for 2 instances"):
        cases.resolve(
            [{"name": "cat", "images": [{"b64": png()}] * 2, "expect": {"outputs": {"y": [[1.0]]}}}]
        )
