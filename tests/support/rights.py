"""Rights: those that roles give, those that requests used, and what is between the two."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from local.demo import audit


class Right(NamedTuple):
    """One verb on one resource."""

    namespace: str
    """Empty for all."""
    group: str
    resource: str
    name: str
    """Empty for all."""
    verb: str

    def covers(self, used: "Right") -> bool:
        """Whether it is the right that a request needs."""
        return (
            self.namespace in {"", used.namespace}
            and self.name in {"", used.name}
            and (self.group, self.resource, self.verb) == (used.group, used.resource, used.verb)
        )


def granted(documents: Iterable[dict[str, Any]], account: dict[str, str]) -> set[Right]:
    """What the roles among some objects give to a service account, `{name, namespace}`, by the bindings."""
    objects = [each for each in documents if each]
    roles = {(r["kind"], r["metadata"].get("namespace", ""), r["metadata"]["name"]): r for r in objects}
    found = set()
    for binding in objects:
        if binding["kind"] not in {"ClusterRoleBinding", "RoleBinding"}:
            continue
        assert binding["subjects"] == [{"kind": "ServiceAccount", **account}]
        where = binding["metadata"].get("namespace", "")
        ref = binding["roleRef"]
        role = roles[ref["kind"], where if ref["kind"] == "Role" else "", ref["name"]]
        found |= {
            Right(where, group, resource, name, verb)
            for rule in role["rules"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for name in rule.get("resourceNames", [""])
            for verb in rule["verbs"]
        }
    return found


def used(entries: Iterable[audit.Entry]) -> set[Right]:
    """The rights that requests to resources made use of, whatever else became of the requests."""
    return {
        Right(e.namespace, e.group, e.resource, e.name, e.verb)
        for e in entries
        if not e.forbidden and not e.resource.startswith("/")
    }


def unused(given: Iterable[Right], made_use_of: Iterable[Right]) -> list[Right]:
    """The rights that no request needed."""
    uses = list(made_use_of)
    return sorted(right for right in given if not any(right.covers(use) for use in uses))


def forbidden(entries: Iterable[audit.Entry]) -> list[str]:
    """The requests that were denied, each kind once."""
    return sorted({f"{e.verb} {e.resource} {e.group} in {e.namespace}" for e in entries if e.forbidden})
