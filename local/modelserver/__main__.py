"""``python -m local.modelserver``: the server that ``local/bin/tensorflow_model_server`` starts."""

import sys
import types

# grpc imports its asyncio half whether it is used or not. It never is here, and its 4 MiB would be every server's.
sys.modules["grpc.aio"] = types.ModuleType("grpc.aio")

from local.modelserver import server  # noqa: E402

server.leave(server.main(sys.argv[1:]))
