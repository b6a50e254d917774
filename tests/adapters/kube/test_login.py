import base64
from pathlib import Path

import pytest
import yaml

from tests.support import manual_clock
from tfserving_operator.adapters import errors
from tfserving_operator.adapters.kube import login


def write(path: Path, **sections: object) -> Path:
    config = {
        "clusters": [{"name": "c", "cluster": {"server": "https://one:6443/"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "n"}}],
        "current-context": "x",
    }
    path.write_text(yaml.safe_dump({**config, **sections}))
    return path


def test_the_current_context_is_used(tmp_path: Path) -> None:
    account = login.load(kubeconfig=write(tmp_path / "k"), context=None)
    assert account == login.Login(server="https://one:6443", namespace="n", token="t")


def test_certificates_are_read_inline_and_from_files_beside_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("KEY")
    user = {"client-certificate-data": base64.b64encode(b"CERT").decode(), "client-key": "key.pem"}
    account = login.load(kubeconfig=write(tmp_path / "k", users=[{"name": "u", "user": user}]), context=None)
    assert (account.certificate, account.key) == ("CERT", "KEY")


def test_of_several_files_the_first_that_names_something_wins(tmp_path: Path) -> None:
    first = write(tmp_path / "a", contexts=[], users=[{"name": "u", "user": {"token": "first"}}])
    second = write(tmp_path / "b")
    environ = {"KUBECONFIG": f"{first}:{tmp_path / 'missing'}:{second}"}
    assert login.load(kubeconfig=None, context=None, environ=environ).token == "first"


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"current-context": "y"}, "no context 'y'"),
        ({"users": [{"name": "u", "user": {"auth-provider": {"name": "gcp"}}}]}, "asks for .auth-provider"),
        ({"users": [{"name": "u", "user": {"token": "t", "as": "somebody"}}]}, "asks for 'as'"),
        ({"users": ["u"]}, "users.* has no name"),
        (
            {"clusters": [{"name": "c", "cluster": {"server": "s", "proxy-url": "http://p"}}]},
            "asks for 'proxy-url'",
        ),
        ({"clusters": []}, "no cluster"),
        ({"clusters": [{"name": "c", "cluster": {"server": "s", "certificate-authority": "gone"}}]}, "gone"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, sections: dict[str, object], words: str) -> None:
    with pytest.raises(errors.LoginError, match=words):
        login.load(kubeconfig=write(tmp_path / "k", **sections), context=None)


def test_a_pod_uses_its_account_and_reads_a_renewed_token(tmp_path: Path) -> None:
    for name, text in (("namespace", "system"), ("ca.crt", "CA"), ("token", "first\n")):
        (tmp_path / name).write_text(text)
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    account = login.from_service_account(environ, tmp_path)
    assert (account.server, account.namespace) == ("https://[fd00::1]:443", "system")
    clock = manual_clock.ManualClock()
    tokens = login.TokenSource(account, clock)
    assert tokens.current() == "first"
    (tmp_path / "token").write_text("second")
    assert tokens.current() == "first"
    clock.seconds += login.TOKEN_REREAD_SECONDS
    assert tokens.current() == "second"
    (tmp_path / "token").write_text("third")
    tokens.forget()
    assert tokens.current() == "third"
