"""One table in four places: the API server with the CRD's rules, the webhook that it calls, the command line, reconcile.

First the definition takes any spec, so that each input gets as far as the webhook, and, in the operator's own namespace,
to its reconcile. Then it is the real one.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from tests.support import control_plane, processes, specs, webhooks
from tests.support.inputs import INPUTS, Input
from tfserving_operator import cli
from tfserving_operator.api import crd

pytestmark = pytest.mark.cluster

INDICES = range(len(INPUTS))
DEFAULT_NAME = Input(title="", changes={}).name
DENIED = f'admission webhook "{webhooks.HOOK}" denied the request: '
FLAG = {"server": {"flags": {"enable_bathing": "true"}}}
"""What only the webhook refuses."""


def _name(index: int) -> str:
    given = INPUTS[index]
    return f"input-{index}" if given.name == DEFAULT_NAME else given.name


def _manifest(index: int) -> dict[str, Any]:
    return webhooks.manifest(_name(index), specs.make_raw(**INPUTS[index].changes))


def _loose() -> dict[str, Any]:
    definition = crd.build_crd()
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    del schema["x-kubernetes-validations"]
    schema["properties"]["spec"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return definition


def _dry_run(api: control_plane.ControlPlane, body: dict[str, Any]) -> webhooks.Answer:
    return webhooks.ask(api, "POST", f"{webhooks.path(webhooks.TEAM)}?dryRun=All", body)


@pytest.fixture(scope="module")
def operator(
    api: control_plane.ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[processes.Operators]:
    """An operator with its webhook, which the API server calls."""
    webhooks.make_namespaces(api)
    webhooks.apply_crd(api, _loose())
    (port,) = control_plane.free_ports(1)
    name = webhooks.install(api, port)
    started = processes.Operators(
        api=api,
        namespace=webhooks.SYSTEM,
        folder=tmp_path_factory.mktemp("operator"),
        settings={"webhookPort": port, "webhookHosts": ["127.0.0.1"], "webhookConfiguration": name},
    )
    try:
        started.start()
        bad = webhooks.manifest("bad", specs.make_raw(**FLAG))
        processes.wait_for(lambda: _dry_run(api, bad).message.startswith(DENIED))
        yield started
    finally:
        started.kill_all()
        webhooks.uninstall(api)


@pytest.fixture(scope="module")
def asked(operator: processes.Operators) -> list[webhooks.Answer]:
    """What the webhook says of each input."""
    return [_dry_run(operator.api, _manifest(index)) for index in INDICES]


@pytest.fixture(scope="module")
def reconciled(operator: processes.Operators) -> list[dict[str, dict[str, str]]]:
    """Conditions of each input, by type, as the operator wrote them."""
    for index in INDICES:
        answer = webhooks.ask(operator.api, "POST", webhooks.path(webhooks.SYSTEM), _manifest(index))
        assert answer.code == 201, answer.body

    def seen() -> dict[str, Any] | None:
        items = webhooks.ask(operator.api, "GET", webhooks.path(webhooks.SYSTEM)).body["items"]
        found = {item["metadata"]["name"]: item.get("status", {}).get("conditions") for item in items}
        return found if len(found) == len(INPUTS) and all(found.values()) else None

    found = processes.wait_for(seen, seconds=120)
    return [{c["type"]: c for c in found[_name(index)]} for index in INDICES]


@pytest.fixture(scope="module")
def commanded() -> list[dict[str, Any]]:
    """What the command line says of each input."""
    text = yaml.safe_dump_all([_manifest(index) for index in INDICES])
    done = CliRunner().invoke(cli.main, ["validate", "-", "-o", "json"], input=text)
    objects: list[dict[str, Any]] = json.loads(done.stdout)["objects"]
    return objects


@pytest.fixture(scope="module")
def ruled(
    operator: processes.Operators,
    asked: list[webhooks.Answer],
    reconciled: list[dict[str, dict[str, str]]],
) -> list[webhooks.Answer]:
    """What the API server says of each input with the real definition, and with the webhook behind it."""
    assert asked
    assert reconciled
    webhooks.apply_crd(operator.api, crd.build_crd())
    wrong = webhooks.manifest("wrong", specs.make_raw(model={"version": 0}))
    processes.wait_for(lambda: "spec.model.version" in _dry_run(operator.api, wrong).message)
    return [_dry_run(operator.api, _manifest(index)) for index in INDICES]


def _is_refused(given: Input) -> bool:
    return bool(given.said) and given.is_refused


def _held_to(given: Input, answer: webhooks.Answer) -> None:
    """Hold an answer of the webhook to the table."""
    if not _is_refused(given):
        assert answer.code == 201, answer.body
        assert list(answer.warnings) == [said[:250] for said in given.said]
        return
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    assert answer.message.startswith(DENIED)
    if given.parses:
        assert answer.message == DENIED + "; ".join(given.said)
        assert answer.causes == list(given.said)
    else:
        assert _start(given) in answer.message


def _start(given: Input) -> str:
    """The field of what is said, without the sentence: a type error is told in the reader's own way."""
    return given.said[0].split(": ")[0].split(" ")[0]


@pytest.mark.parametrize("index", INDICES, ids=[given.title for given in INPUTS])
def test_the_webhook_that_the_api_server_calls_says_what_the_table_says(
    asked: list[webhooks.Answer], index: int
) -> None:
    _held_to(INPUTS[index], asked[index])


@pytest.mark.parametrize("index", INDICES, ids=[given.title for given in INPUTS])
def test_reconcile_and_the_command_line_say_what_the_webhook_says(
    reconciled: list[dict[str, dict[str, str]]], commanded: list[dict[str, Any]], index: int
) -> None:
    given, conditions = INPUTS[index], reconciled[index]
    stalled = conditions["Stalled"]
    is_invalid = stalled["status"] == "True" and stalled["reason"] in {"InvalidSpec", "InvalidResources"}
    assert (is_invalid, not commanded[index]["valid"]) == (_is_refused(given),) * 2
    told = [f"{v['field']}: {v['message']}" for v in commanded[index]["violations"]]
    if not given.parses:
        assert _start(given) in stalled["message"]
        assert any(_start(given) in each for each in told)
    elif is_invalid:
        assert stalled["message"] == "; ".join(given.said)
        assert told == list(given.said)
    else:
        assert conditions["ResourcesValid"]["message"] == "; ".join(given.said)
        assert told == list(given.said)


@pytest.mark.parametrize("index", INDICES, ids=[given.title for given in INPUTS])
def test_the_crds_rules_refuse_the_same_field_and_leave_the_rest_to_the_webhook(
    ruled: list[webhooks.Answer], index: int
) -> None:
    given, answer = INPUTS[index], ruled[index]
    if not _is_refused(given) or given.server is None:
        _held_to(given, answer)
        return
    assert answer.code in (400, 422), answer.body
    assert given.server in answer.message
    assert not answer.message.startswith(DENIED)
    last = _start(given).split(".")[-1].partition("[")[0]
    assert last in answer.message


def _stored(api: control_plane.ControlPlane, *indices: int) -> list[str]:
    return [webhooks.path(webhooks.SYSTEM, _name(index)) for index in indices]


SINCE_EVER = ("oneOf", "anyOf")
"""What the API server holds objects to that are stored already; the rules are as old as the definition."""
REFUSED = [
    index
    for index, given in enumerate(INPUTS)
    if _is_refused(given) and given.parses and given.server not in SINCE_EVER
]
"""What an earlier release, with fewer rules, may have stored: types were never others."""


def test_what_was_stored_and_is_invalid_now_can_be_labelled_told_of_and_deleted(
    operator: processes.Operators, ruled: list[webhooks.Answer]
) -> None:
    """Rules of the CRD and the webhook look at changes of the spec: an operator's upgrade holds nobody's deletion up."""
    assert ruled
    api = operator.api
    # The webhook is asked about this namespace too
    kind = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    (configuration,) = webhooks.ask(api, "GET", kind).body["items"]
    configuration["webhooks"][0]["namespaceSelector"] = {}
    assert webhooks.ask(api, "PUT", f"{kind}/{configuration['metadata']['name']}", configuration).code == 200
    flag = webhooks.manifest("bad", specs.make_raw(**FLAG))
    dry = f"{webhooks.path(webhooks.SYSTEM)}?dryRun=All"
    processes.wait_for(lambda: webhooks.ask(api, "POST", dry, flag).message.startswith(DENIED))
    for where in _stored(api, *REFUSED):
        for change in (
            {"metadata": {"labels": {"team": "vision"}}},
            {"metadata": {"finalizers": ["example.org/kept"]}},
            {"metadata": {"finalizers": []}},
        ):
            assert webhooks.ask(api, "PATCH", where, change, patch=True).code == 200, (where, change)
        told = {"status": {"phase": "Pending"}}
        assert webhooks.ask(api, "PATCH", f"{where}/status", told, patch=True).code == 200, where
        assert webhooks.ask(api, "DELETE", f"{where}?dryRun=All", None).code == 200, where


def test_a_stored_object_that_is_invalid_can_be_made_valid_and_not_invalid_in_another_way(
    operator: processes.Operators, ruled: list[webhooks.Answer]
) -> None:
    assert ruled
    api = operator.api
    index = next(i for i in REFUSED if INPUTS[i].title == "flag zzz=1")
    (where,) = _stored(api, index)
    worse = {"spec": {"server": {"flags": {"zzz": None, "yyy": "1"}}}}
    answer = webhooks.ask(api, "PATCH", where, worse, patch=True)
    assert answer.message.startswith(DENIED)
    better = {"spec": {"server": {"flags": {"zzz": None}}}}
    assert webhooks.ask(api, "PATCH", where, better, patch=True).code == 200
