"""Writes protocol buffers of TensorFlow's by hand, also such as no TensorFlow would write."""

META_GRAPH, META_INFO, TAGS = 2, 1, 4
GRAPH, SIGNATURES, LIBRARY = 2, 5, 2
NODE, FUNCTION = 1, 1
FLOAT = 1


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, content: bytes | str | int) -> bytes:
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    raw = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def entry(key: str, value: bytes | str) -> bytes:
    return field(1, key) + field(2, value)


def node(name: str, op: str, *inputs: str, **functions: str) -> bytes:
    """A node, whose attributes are functions."""
    attributes = b"".join(field(5, entry(key, field(10, field(1, f)))) for key, f in functions.items())
    return field(1, name) + field(2, op) + b"".join(field(3, each) for each in inputs) + attributes


def function(name: str, arguments: list[str], returns: dict[str, str], *nodes: bytes) -> bytes:
    declared = b"".join(field(2, field(1, each)) for each in arguments)
    declared += b"".join(field(3, field(1, each)) for each in returns)
    body = b"".join(field(3, each) for each in nodes)
    return (
        field(1, field(1, name) + declared)
        + body
        + b"".join(field(4, entry(k, v)) for k, v in returns.items())
    )


def saved_model(
    nodes: list[bytes],
    functions: list[bytes] | None = None,
    *,
    fed: str = "x",
    fetched: str = "y",
    rest: bytes = b"",
) -> bytes:
    """A SavedModel whose serving signature feeds and fetches one tensor each."""
    shape = field(2, field(1, 4))
    x, y = (field(1, f"{name}:0") + field(2, FLOAT) + field(3, shape) for name in (fed, fetched))
    signature = field(1, entry("x", x)) + field(2, entry("y", y)) + field(3, "tensorflow/serving/predict")
    graph = b"".join(field(NODE, each) for each in nodes)
    graph += field(LIBRARY, b"".join(field(FUNCTION, each) for each in functions or []))
    return field(
        META_GRAPH,
        field(META_INFO, field(TAGS, "serve"))
        + field(GRAPH, graph)
        + field(SIGNATURES, entry("serving_default", signature))
        + rest,
    )
