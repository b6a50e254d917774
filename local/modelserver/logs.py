"""Log lines on stderr in the form of TensorFlow's own."""

import enum
import sys
import time


class Severity(enum.StrEnum):
    """The letter that a log line carries."""

    INFO = "I"
    WARNING = "W"
    ERROR = "E"
    FATAL = "F"


def log(where: str, message: str, *, severity: Severity = Severity.INFO) -> None:
    """Write one line: the time, the letter, the C++ file that would have written it, the message."""
    seconds, nanoseconds = divmod(time.time_ns(), 10**9)
    stamp = f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(seconds))}.{nanoseconds // 1000:06d}"
    sys.stderr.write(f"{stamp}: {severity} tensorflow_serving/{where}] {message}\n")
    sys.stderr.flush()
