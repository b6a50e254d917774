"""A process that reads large answers: parsing megabytes would hold the operator's interpreter, and its memory.

It reads frames from its standard input and answers on its standard output, for `adapters.serving.workers`. Started as
`python -m tfserving_operator.adapters.answerreader`; it imports no more than it needs.
"""

import pickle
import resource
import struct
import sys
from typing import BinaryIO, Final

from tfserving_operator.core.smoke import answers

REQUEST: Final = struct.Struct("<IQ")
"""HTTP status, and length of the body that follows."""
RESPONSE: Final = struct.Struct("<Q")
"""Length of the pickled answer that follows."""
MEMORY_BYTES: Final = 224 * 1024 * 1024
"""What a hostile body may make this process allocate; a million values take a third of it."""


def main() -> None:
    """Read answers until the standard input ends."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    serve(sys.stdin.buffer, sys.stdout.buffer)


def serve(requests: BinaryIO, responses: BinaryIO) -> None:
    """Answer each frame with another."""
    while len(header := requests.read(REQUEST.size)) == REQUEST.size:
        status, length = REQUEST.unpack(header)
        try:
            found = answers.read(status, requests.read(length))
        except MemoryError:
            detail = f"its {length} bytes of JSON take more than {MEMORY_BYTES} bytes to read"
            found = answers.Answer(status=status, trouble=answers.Trouble.TooLarge, detail=detail)
        data = pickle.dumps(found, protocol=pickle.HIGHEST_PROTOCOL)
        responses.write(RESPONSE.pack(len(data)))
        responses.write(data)
        responses.flush()


if __name__ == "__main__":
    main()
