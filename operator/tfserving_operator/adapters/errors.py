"""What can go wrong outside: one hierarchy for every adapter."""


class AdapterError(Exception):
    """Anything that an adapter could not do."""


class LoginError(AdapterError):
    """There is no way to log in to a cluster; the message says what is missing."""


class NotLeaderError(AdapterError):
    """The Lease is lost, or not renewed in time: nothing may be written any more."""


class ApiError(AdapterError):
    """The Kubernetes API did not do what was asked.

    Attributes
    ----------
    code
        The HTTP status, 0 where there was no answer.
    reason
        The word of the API's Status object, such as ``AlreadyExists``.
    message
        What the API says, or what went wrong on the way.
    """

    def __init__(self, message: str, *, code: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason


class TransientError(ApiError):
    """It may work later: no connection, no answer in time, 401, 408, 429, 5xx.

    Attributes
    ----------
    retry_after_seconds
        What the server asked for, 0.0 where it asked for nothing.
    """

    def __init__(
        self, message: str, *, code: int = 0, reason: str = "", retry_after_seconds: float = 0.0
    ) -> None:
        super().__init__(message, code=code, reason=reason)
        self.retry_after_seconds = retry_after_seconds


class GoneError(TransientError):
    """410: the resource version is too old, list again."""


class PermanentError(ApiError):
    """The API refuses this request for good: 400, 403, 413, 422 and their like."""


class NotFoundError(PermanentError):
    """404: the object, its namespace or its kind is not there."""


class ConflictError(PermanentError):
    """409: the object has changed since it was read, or is another one of the same name."""


class AlreadyExistsError(ConflictError):
    """409 of a create: the name is taken."""
