"""``python -m local.modelserver``: the server that ``local/bin/tensorflow_model_server`` starts."""

import sys

from local.modelserver import server

server.leave(server.main(sys.argv[1:]))
