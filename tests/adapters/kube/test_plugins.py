"""Kubeconfigs whose user logs in by a plugin: a real program that prints a credential."""

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import manual_clock
from tfserving_operator.adapters import errors
from tfserving_operator.adapters.kube import login

VERSION = "client.authentication.k8s.io/v1"
COUNTING = """#!/bin/sh
echo x >> "$(dirname "$0")/calls"
token="token-$(wc -l < "$(dirname "$0")/calls" | tr -d ' ')-$STAGE-$1"
printf '{"apiVersion": "%s", "kind": "ExecCredential", "status": {"token": "%s"%s}}' \
    client.authentication.k8s.io/v1 "$token" "$EXPIRY"
"""
TELLING = """#!/bin/sh
printf '%s' "$KUBERNETES_EXEC_INFO" > "$(dirname "$0")/info"
printf '{"status": {"clientCertificateData": "CERT", "clientKeyData": "KEY"}}'
"""


def kubeconfig(folder: Path, script: str, **asked: Any) -> Path:
    """A kubeconfig whose plugin is a script beside it."""
    program = folder / "plugin"
    program.write_text(script)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    user = {"exec": {"apiVersion": VERSION, "command": "./plugin", **asked}}
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "a"}}
    cluster = {"server": "https://one:6443", "extensions": [extension]}
    config = {
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (folder / "config").write_text(yaml.safe_dump(config))
    return folder / "config"


def load(folder: Path, script: str, **asked: Any) -> login.Login:
    return login.load(kubeconfig=kubeconfig(folder, script, **asked), context=None)


def test_a_plugin_says_who_we_are_with_its_arguments_and_environment(tmp_path: Path) -> None:
    account = load(tmp_path, COUNTING, args=["a b"], env=[{"name": "STAGE", "value": "live"}])
    assert account.token == "token-1-live-a b"


def test_a_plugin_that_asks_is_told_the_cluster_and_may_answer_with_a_certificate(tmp_path: Path) -> None:
    account = load(tmp_path, TELLING, provideClusterInfo=True)
    assert (account.certificate, account.key) == ("CERT", "KEY")
    assert json.loads((tmp_path / "info").read_text()) == {
        "apiVersion": VERSION,
        "kind": "ExecCredential",
        "spec": {
            "interactive": False,
            "cluster": {"server": "https://one:6443", "config": {"audience": "a"}},
        },
    }


def test_a_plugin_is_asked_again_after_a_refusal_and_not_before(tmp_path: Path) -> None:
    tokens = login.TokenSource(load(tmp_path, COUNTING), manual_clock.ManualClock())
    assert [tokens.current(), tokens.current()] == ["token-1--"] * 2
    tokens.forget()
    assert [tokens.current(), tokens.current()] == ["token-2--"] * 2


def test_a_credential_that_ends_is_renewed_before_its_end(tmp_path: Path) -> None:
    clock = manual_clock.ManualClock()
    ends = (clock.now() + timedelta(minutes=10)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    expiry = {"name": "EXPIRY", "value": f', "expirationTimestamp": "{ends}"'}
    account = load(tmp_path, COUNTING, env=[expiry])
    assert account.expires == datetime.fromisoformat(ends)
    tokens = login.TokenSource(account, clock)
    assert tokens.current() == "token-1--"
    clock.seconds += 9 * 60
    assert tokens.current() == "token-2--"


def test_a_plugin_that_fails_later_is_tried_again(tmp_path: Path) -> None:
    tokens = login.TokenSource(load(tmp_path, COUNTING), manual_clock.ManualClock())
    (tmp_path / "plugin").rename(tmp_path / "elsewhere")
    tokens.forget()
    with pytest.raises(errors.TransientError, match="is not there"):
        tokens.current()
    (tmp_path / "elsewhere").rename(tmp_path / "plugin")
    assert tokens.current() == "token-2--"


@pytest.mark.parametrize(
    ("script", "asked", "words"),
    [
        ("#!/bin/sh\necho expired session >&2; exit 3\n", {}, "exit 3: expired session"),
        ("#!/bin/sh\necho '{}'\n", {}, "no ExecCredential"),
        ("#!/bin/sh\necho '{\"status\": {}}'\n", {}, "neither a token nor a certificate"),
        ("", {"command": "no-such-plugin", "installHint": "install it"}, "is not there: install it"),
        ("", {"command": ""}, "needs a command"),
        ("", {"apiVersion": "v1"}, "needs a command and an apiVersion"),
    ],
    ids=["fails", "no status", "empty", "not there", "no command", "version"],
)
def test_a_plugin_that_cannot_say_who_we_are_is_named(
    tmp_path: Path, script: str, asked: dict[str, Any], words: str
) -> None:
    with pytest.raises(errors.LoginError, match=words):
        load(tmp_path, script, **asked)


def test_what_a_plugin_printed_is_in_no_message(tmp_path: Path) -> None:
    with pytest.raises(errors.LoginError) as caught:
        load(tmp_path, "#!/bin/sh\necho my-secret-token\n")
    assert "my-secret" not in str(caught.value)
