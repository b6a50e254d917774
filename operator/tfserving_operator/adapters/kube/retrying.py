"""How often one request is repeated, and how long it waits in between."""

from typing import Final

import structlog
import tenacity

from tfserving_operator.adapters import errors

ATTEMPTS: Final = 3
"""Of one request. Callers are level-triggered and come again later, with a growing delay of their own."""
WAIT_CAP_SECONDS: Final = 2.0

_log = structlog.stdlib.get_logger(__name__)
_jittered: Final = tenacity.wait_random_exponential(multiplier=0.1, max=WAIT_CAP_SECONDS)


def build_retrying() -> tenacity.AsyncRetrying:
    """Repeat what may work later; every repetition is logged, and the last error is raised."""
    return tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(_is_worth_retrying),
        wait=_wait,
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        before_sleep=_log_retry,
        reraise=True,
    )


def _is_worth_retrying(error: BaseException) -> bool:
    return isinstance(error, errors.TransientError) and not isinstance(error, errors.GoneError)


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after_seconds if isinstance(error, errors.TransientError) else 0.0
    return max(_jittered(state), min(asked, WAIT_CAP_SECONDS))


def _log_retry(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    _log.warning("repeating a request to the Kubernetes API", attempt=state.attempt_number, error=str(error))
