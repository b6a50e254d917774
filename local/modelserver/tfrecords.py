"""The records of a TFRecord file, read by the runtime's own reader."""

from collections.abc import Generator
from typing import Final

import numpy as np
from google.protobuf import text_format

from local.modelserver import dtypes, errors, protos, runtime, tensors

_GRAPH: Final = """
node { name: "path" op: "Placeholder" attr { key: "dtype" value { type: DT_STRING } } }
node { name: "queue" op: "FIFOQueueV2"
       attr { key: "component_types" value { list { type: DT_STRING } } } }
node { name: "enqueue" op: "QueueEnqueueV2" input: "queue" input: "path"
       attr { key: "Tcomponents" value { list { type: DT_STRING } } } }
node { name: "close" op: "QueueCloseV2" input: "queue" input: "^enqueue" }
node { name: "begin" op: "Identity" input: "path" input: "^close"
       attr { key: "T" value { type: DT_STRING } } }
node { name: "reader" op: "TFRecordReaderV2" }
node { name: "read" op: "ReaderReadV2" input: "reader" input: "queue" }
"""
_NODE: Final = "\n\t [["
"""Where the runtime appends which node of the graph failed; the original's reader has no graph."""


def read(path: str) -> Generator[bytes, None, None]:
    """Return one record after the other.

    Raises
    ------
    ServingError
        ``DATA_LOSS``: what is in the file are no whole records.
    """
    session = runtime.Session.of_graph(
        text_format.Parse(_GRAPH, protos.graph_pb2.GraphDef()).SerializeToString()
    )
    try:
        name = np.array(path.encode("utf-8", "surrogateescape"), dtype=np.object_)
        session.run({"path:0": tensors.Tensor(dtype=dtypes.DType.STRING, array=name)}, ["begin:0"])
        while True:
            try:
                (record,) = session.run({}, ["read:1"])
            except errors.ServingError as error:
                if error.code is errors.Code.OUT_OF_RANGE:
                    return
                raise errors.ServingError(error.code, error.message.partition(_NODE)[0]) from error
            yield record.array.item()
    finally:
        session.close()
