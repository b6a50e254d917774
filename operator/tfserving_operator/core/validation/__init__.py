"""Whether a spec holds together: the one place that CRD rules, admission, command line and reconcile agree with.

Pure, total and complete: it never raises, and finds all that is wrong rather than the first.
"""

from typing import Final

from tfserving_operator.api import types
from tfserving_operator.core import snapshot
from tfserving_operator.core.validation import flags, model, resources
from tfserving_operator.core.validation import policy as installation
from tfserving_operator.core.validation.violations import Subject, Violation

__all__ = ["Violation", "validate"]

_RULES: Final = (model.check, resources.check, flags.check, installation.check)


def validate(spec: types.Spec, *, owner_name: str, policy: snapshot.Policy) -> tuple[Violation, ...]:
    """All that is wrong with a spec, in one order; empty when nothing is."""
    subject = Subject(spec=spec, owner_name=owner_name, policy=policy)
    return tuple(violation for check in _RULES for violation in check(subject))
