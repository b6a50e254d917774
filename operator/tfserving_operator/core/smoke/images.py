"""Image files as rows of a case: read with bounds, decoded by Pillow, and kept as files until they are sent."""

import base64
import binascii
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from tfserving_operator.core.smoke.caseforms import Case, Channels, Image, InvalidCases, Scale

FORMATS: Final = ("JPEG", "PNG", "BMP", "GIF", "WEBP")
MAX_IMAGES: Final = 64
"""Of one case."""
MAX_PIXELS: Final = 16_000_000
"""Of one file: a small one may claim to be huge."""
MAX_SIDE: Final = 4096
MAX_VALUES: Final = 12_000_000
"""Of all decoded images of one test: 50 MB as float32."""
_FIELDS: Final = ("format", "channels", "height", "width", "dtype", "scale")
_DTYPES: Final = ("uint8", "float32")

Array = np.ndarray[Any, Any]


def parse(raw: Any, where: str) -> tuple[Image, ...]:
    """Read `images` of a case; only a file's header is looked at.

    Raises
    ------
    InvalidCases
        When one cannot be used.
    """
    if not isinstance(raw, list | tuple) or not 0 < len(raw) <= MAX_IMAGES:
        raise InvalidCases(
            f"{where}: images must be a list of 1 to {MAX_IMAGES}, such as [{{b64: /9j/4AAQ…}}]"
        )
    return tuple(_parse_image(each, f"{where}: images[{i}]") for i, each in enumerate(raw))


def to_wire(image: Image) -> dict[str, Any]:
    """Write an image as JSON types; `parse` reads it back."""
    decode = {name: getattr(image, name) for name in _FIELDS}
    return {
        "b64": image.b64,
        "decode": {name: str(v) if isinstance(v, str) else v for name, v in decode.items() if v},
    }


def decoded(given: Sequence[Case]) -> tuple[Case, ...]:
    """Give the cases with images their instances.

    Takes about 10 ms for each megapixel: call it off the event loop.

    Raises
    ------
    InvalidCases
        When a file cannot be decoded, or all of them come to too many values.
    """
    left = MAX_VALUES
    found = []
    for case in given:
        rows: list[Array] = []
        for i, image in enumerate(case.images):
            row = _decode(image, f'smoke case "{case.name}": images[{i}]', left)
            left -= row.size
            rows.append(row)
        if len({row.shape for row in rows}) > 1:
            sizes = ", ".join(f"{row.shape[1]}x{row.shape[0]}" for row in rows[:4])
            raise InvalidCases(
                f'smoke case "{case.name}": its images differ in size ({sizes}): write decode.height and decode.width'
            )
        found.append(replace(case, instances=rows) if rows else case)
    return tuple(found)


def _parse_image(raw: Any, where: str) -> Image:
    if not isinstance(raw, Mapping) or not isinstance(raw.get("b64"), str) or raw.keys() - {"b64", "decode"}:
        raise InvalidCases(
            f"{where}: write {{b64: …, decode: {{height: 224, width: 224}}}}, with the file as base64"
        )
    decode = raw.get("decode") or {}
    if not isinstance(decode, Mapping) or (unknown := decode.keys() - set(_FIELDS)):
        named = f": unknown field {min(map(str, unknown))}" if isinstance(decode, Mapping) else ""
        raise InvalidCases(f"{where}.decode{named}; known are {', '.join(_FIELDS)}")
    given = {name: value for name, value in decode.items() if value is not None}
    image = Image(
        b64="".join(raw["b64"].split()),
        format=_one_of(given.get("format", ""), ("", *FORMATS), f"{where}.decode.format"),
        channels=Channels(_one_of(given.get("channels", "RGB"), list(Channels), f"{where}.decode.channels")),
        height=_side(given.get("height", 0), f"{where}.decode.height"),
        width=_side(given.get("width", 0), f"{where}.decode.width"),
        scale=Scale(_one_of(given.get("scale", "0..255"), list(Scale), f"{where}.decode.scale")),
        dtype=_one_of(
            given.get("dtype", "uint8" if given.get("scale", "0..255") == Scale.Bytes else "float32"),
            _DTYPES,
            f"{where}.decode.dtype",
        ),
    )
    if image.dtype == "uint8" and image.scale is not Scale.Bytes:
        raise InvalidCases(f"{where}.decode: values in {image.scale} need dtype float32")
    _open(image, where).close()
    return image


def _one_of(value: Any, known: Sequence[str], where: str) -> str:
    if value not in known:
        raise InvalidCases(
            f"{where} must be one of {', '.join(word for word in known if word)}; it is {value!r:.40}"
        )
    return str(value)


def _side(value: Any, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_SIDE:
        raise InvalidCases(
            f"{where} must be a whole number up to {MAX_SIDE}, or left out for the image's own size"
        )
    return value


def _open(image: Image, where: str) -> Any:
    """The file with its header read, and with a size that is safe to decode."""
    import PIL.Image  # noqa: PLC0415 - only those who test with images pay for its memory

    try:
        data = base64.b64decode(image.b64, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidCases(
            f"{where}.b64 is no base64; write the file as `base64 -w0 FILE` prints it"
        ) from None
    try:
        file = PIL.Image.open(io.BytesIO(data), formats=(image.format,) if image.format else FORMATS)
    except (
        OSError,
        ValueError,
        SyntaxError,
        PIL.Image.DecompressionBombError,
        PIL.Image.DecompressionBombWarning,
    ) as error:
        raise InvalidCases(
            f"{where}.b64 is no image that can be read ({', '.join(FORMATS)}): {str(error)[:80]}"
        ) from None
    if file.width * file.height > MAX_PIXELS:
        raise InvalidCases(f"{where}: {file.width}x{file.height} pixels are more than {MAX_PIXELS}")
    return file


def _decode(image: Image, where: str, most: int) -> Array:
    import PIL.Image  # noqa: PLC0415 - as above

    with _open(image, where) as file:
        size = (image.width or file.width, image.height or file.height)
        depth = 1 if image.channels is Channels.Gray else 3
        if size[0] * size[1] * depth > most:
            raise InvalidCases(
                f"{where}: all images together hold more than {MAX_VALUES} values: use fewer or smaller"
            )
        try:
            shown = file.convert("L" if image.channels is Channels.Gray else "RGB")
            if shown.size != size:
                shown = shown.resize(size, PIL.Image.Resampling.BILINEAR)
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            raise InvalidCases(f"{where}.b64 cannot be decoded: {str(error)[:80]}") from None
    values = np.asarray(shown, dtype=np.uint8).reshape(size[1], size[0], depth)
    if image.channels is Channels.BGR:
        values = values[..., ::-1]
    return np.ascontiguousarray(_scaled(values, image))


def _scaled(values: Array, image: Image) -> Array:
    match image.scale:
        case Scale.Bytes:
            return values.astype(image.dtype)
        case Scale.Unit:
            return values.astype(np.float32) / np.float32(255.0)
        case Scale.Symmetric:
            return values.astype(np.float32) / np.float32(127.5) - np.float32(1.0)
