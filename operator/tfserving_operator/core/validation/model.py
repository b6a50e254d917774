"""Rules for names, the source, the pods' template and the smoke cases."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from tfserving_operator.api import constants, reasons
from tfserving_operator.core import sources
from tfserving_operator.core.validation.violations import Subject, Violation

GRACE_AFTER_DRAIN_SECONDS: Final = 5
"""What the server is left with to end, after its pod has drained."""
MAX_INLINE_BYTES: Final = 200 * 1024
"""Of all inline cases: the object has to fit into etcd beside its status."""

_OWNER_NAME: Final = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?", re.ASCII)
_LABEL_KEY: Final = re.compile(
    r"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?",
    re.ASCII,
)
_OURS: Final = f"{constants.GROUP}/"
_UNCONFINING: Final = (
    "container.apparmor.security.beta.kubernetes.io/",
    "container.seccomp.security.alpha.kubernetes.io/",
)
"""Prefixes of annotations that loosen what Pod Security `restricted` asks for."""


def _violation(field: str, value: str, problem: str, remedy: str) -> Violation:
    return Violation(
        field=field, value=value, problem=problem, remedy=remedy, reason=reasons.Reason.InvalidSpec
    )


def _check_name(subject: Subject) -> Iterator[Violation]:
    name = subject.owner_name
    if len(name) > constants.NAME_MAX_LENGTH or not _OWNER_NAME.fullmatch(name):
        yield _violation(
            "metadata.name",
            name,
            f"{name} cannot name a Service and its revisions",
            f"at most {constants.NAME_MAX_LENGTH} characters of a-z, 0-9 and -, a letter first, "
            "a letter or digit last",
        )


def _check_source(subject: Subject) -> Iterator[Violation]:
    uri = subject.spec.model.uri
    try:
        sources.parse(uri)
    except ValueError as error:
        yield _violation("spec.model.uri", uri, f"{uri} cannot be used", str(error))


def _check_grace(subject: Subject) -> Iterator[Violation]:
    grace = subject.spec.template.spec.termination_grace_period_seconds
    least = subject.policy.drain_seconds + GRACE_AFTER_DRAIN_SECONDS
    if grace < least:
        yield _violation(
            "spec.template.spec.terminationGracePeriodSeconds",
            str(grace),
            f"a pod drains for {subject.policy.drain_seconds} s, so that {grace} s leave the server too little time",
            f"write at least {least}",
        )


def _check_keys(subject: Subject) -> Iterator[Violation]:
    metadata = subject.spec.template.metadata
    for part, keys in (("labels", metadata.labels), ("annotations", metadata.annotations)):
        for key in keys:
            field = f"spec.template.metadata.{part}[{key}]"
            if not _LABEL_KEY.fullmatch(key):
                yield _violation(field, key, f"{key} is not a key", "write NAME or DOMAIN/NAME")
            elif key.startswith(_OURS) or key == constants.LABEL_MANAGED_BY:
                yield _violation(field, key, f"{key} is the operator's own", "leave it out")
            elif part == "annotations" and key.startswith(_UNCONFINING):
                yield _violation(field, key, f"{key} would loosen the pods' confinement", "leave it out")


def _duplicates(names: Iterable[str]) -> Iterator[str]:
    return (name for name, count in Counter(names).items() if count > 1)


def _check_lists(subject: Subject) -> Iterator[Violation]:
    spec = subject.spec
    lists = (
        ("spec.server.env", (variable.name for variable in spec.server.env)),
        ("spec.smoke.cases", (case.name for case in spec.smoke.cases)),
        ("spec.template.spec.imagePullSecrets", (s.name for s in spec.template.spec.image_pull_secrets)),
    )
    for field, names in lists:
        for name in _duplicates(names):
            yield _violation(field, name, f"{name} is there more than once", "keep one of them")


def _check_cases(subject: Subject) -> Iterator[Violation]:
    cases = subject.spec.smoke.cases
    for index, case in enumerate(cases):
        field = f"spec.smoke.cases[{index}]"
        if [case.instances, case.inputs, case.images].count(None) != 2:  # noqa: PLR2004 - one of three
            problem = f"case {case.name} has more than one of instances, inputs and images, or none of them"
            yield _violation(field, case.name, problem, "write exactly one of them")
        if case.expect is not None and case.expect.outputs is None and case.expect.top_k is None:
            problem = f"case {case.name} expects nothing"
            yield _violation(
                f"{field}.expect", case.name, problem, "write outputs or topK, or leave expect out"
            )
    if cases:
        parts = [case.model_dump(mode="json", by_alias=True, exclude_unset=True) for case in cases]
        size = len(json.dumps(parts, separators=(",", ":")))
        if size > MAX_INLINE_BYTES:
            yield _violation(
                "spec.smoke.cases",
                f"{size} bytes",
                f"{size} bytes of cases are more than {MAX_INLINE_BYTES}",
                "put them into a ConfigMap and name it in spec.smoke.casesFrom",
            )


def check(subject: Subject) -> Iterator[Violation]:
    """What is wrong with names, source, template and cases."""
    for rule in (_check_name, _check_source, _check_grace, _check_keys, _check_lists, _check_cases):
        yield from rule(subject)
