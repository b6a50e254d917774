"""Log lines on stderr in the form of TensorFlow's own."""

import datetime
import enum
import sys


class Severity(enum.StrEnum):
    """The letter that a log line carries."""

    INFO = "I"
    WARNING = "W"
    ERROR = "E"
    FATAL = "F"


def log(where: str, message: str, *, severity: Severity = Severity.INFO) -> None:
    """Write one line: the time, the letter, the C++ file that would have written it, the message."""
    now = datetime.datetime.now(tz=datetime.UTC).astimezone()
    stamp = now.strftime("%Y-%m-%d %H:%M:%S.%f")
    sys.stderr.write(f"{stamp}: {severity} tensorflow_serving/{where}] {message}\n")
    sys.stderr.flush()
