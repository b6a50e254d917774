"""Whether a spec holds together: the one place that CRD rules, admission, command line and reconcile agree with.

Pure, total and complete: it never raises, and finds all that is wrong rather than the first.
"""

from typing import Final

from tfserving_operator.api import types
from tfserving_operator.core import snapshot
from tfserving_operator.core.validation import batching, disruption, flags, model, resources, threads
from tfserving_operator.core.validation import policy as installation
from tfserving_operator.core.validation.violations import Severity, Subject, Violation

__all__ = ["Severity", "Violation", "validate"]

_RULES: Final = (model.check, resources.check, flags.check, batching.check, threads.check, disruption.check)
_UNKNOWN: Final = snapshot.Policy(inspect_image="")
"""Its defaults stand where the installation is not known; what it allows is then not judged."""


def validate(spec: types.Spec, *, owner_name: str, policy: snapshot.Policy | None) -> tuple[Violation, ...]:
    """All that is wrong with a spec, in one order; empty when nothing is.

    Without a policy, what an installation allows is left out: the command line may not know it.
    """
    subject = Subject(spec=spec, owner_name=owner_name, policy=policy or _UNKNOWN)
    checks = _RULES if policy is None else (*_RULES, installation.check)
    return tuple(violation for check in checks for violation in check(subject))
