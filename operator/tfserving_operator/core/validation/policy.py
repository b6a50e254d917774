"""What the installation allows: images, accounts, classes, Service types and annotations."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from tfserving_operator.api import reasons
from tfserving_operator.core.validation.violations import Subject, Violation


def _violation(field: str, value: str, allowed: Sequence[str]) -> Violation:
    remedy = "allowed are " + ", ".join(allowed) if allowed else "leave it out"
    return Violation(
        field=field,
        value=value,
        problem=f"{value} is not allowed by this installation",
        remedy=remedy,
        reason=reasons.Reason.PolicyViolation,
    )


def _check_template(subject: Subject) -> Iterator[Violation]:
    spec, policy = subject.spec.template.spec, subject.policy
    choices = (
        ("serviceAccountName", spec.service_account_name, policy.allowed_service_accounts),
        ("priorityClassName", spec.priority_class_name, policy.allowed_priority_classes),
        ("runtimeClassName", spec.runtime_class_name, policy.allowed_runtime_classes),
    )
    for field, value, allowed in choices:
        if value is not None and value not in allowed:
            yield _violation(f"spec.template.spec.{field}", value, allowed)


def check(subject: Subject) -> Iterator[Violation]:
    """What the installation does not allow."""
    spec, policy = subject.spec, subject.policy
    if policy.allowed_images and not any(fnmatchcase(spec.server.image, p) for p in policy.allowed_images):
        yield _violation("spec.server.image", spec.server.image, policy.allowed_images)
    yield from _check_template(subject)
    asked = spec.disruption.max_unavailable
    if asked is not None and not policy.disruption_budgets:
        yield _violation("spec.disruption.maxUnavailable", str(asked), ())
    if spec.service.type.value not in policy.allowed_service_types:
        yield _violation("spec.service.type", spec.service.type.value, policy.allowed_service_types)
    for key in spec.service.annotations:
        if not any(fnmatchcase(key, pattern) for pattern in policy.allowed_service_annotations):
            yield _violation(f"spec.service.annotations[{key}]", key, policy.allowed_service_annotations)
