"""Certificates that a real TLS handshake accepts, for as long as they should be."""

import socket
import ssl
import threading
from datetime import datetime, timedelta

import pytest

from tfserving_operator.adapters import certificates
from tfserving_operator.adapters import clock as clocks
from tfserving_operator.reconcile import certificates as keeping

NAMES = ("hook.system.svc", "127.0.0.1")


def _now() -> datetime:
    return clocks.SystemClock().now()


def _handshake(server: ssl.SSLContext, bundle: certificates.Bundle, name: str) -> None:
    client = ssl.create_default_context(cadata=bundle.authority.decode())
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with server.wrap_socket(theirs, server_side=True) as wrapped:
            wrapped.sendall(b"x")

    thread = threading.Thread(target=serve)
    with ours:
        thread.start()
        try:
            with client.wrap_socket(ours, server_hostname=name) as wrapped:
                assert wrapped.recv(1) == b"x"
        finally:
            thread.join()


@pytest.mark.parametrize("name", NAMES)
def test_the_authority_vouches_for_the_certificate_under_every_name(name: str) -> None:
    bundle = certificates.issue(NAMES, _now())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    keeping.load(server, bundle)
    _handshake(server, bundle, name)


def test_a_context_in_use_takes_a_new_certificate() -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for bundle in (certificates.issue(NAMES, _now()), certificates.issue(NAMES, _now())):
        keeping.load(server, bundle)
        _handshake(server, bundle, NAMES[0])


@pytest.mark.parametrize(
    ("later", "names", "is_good"),
    [
        (timedelta(0), NAMES, True),
        (timedelta(days=59), NAMES, True),
        (timedelta(days=61), NAMES, False),
        (timedelta(days=91), NAMES, False),
        (timedelta(0), NAMES[:1], True),
        (timedelta(0), ("other.system.svc",), False),
    ],
)
def test_a_certificate_is_renewed_with_a_third_of_its_life_left(
    later: timedelta, names: tuple[str, ...], is_good: bool
) -> None:
    bundle = certificates.issue(NAMES, _now())
    assert certificates.is_good(bundle, names, _now() + later) == is_good


@pytest.mark.parametrize("part", ["authority", "certificate", "key"])
def test_a_bundle_that_was_broken_by_hand_is_not_good(part: str) -> None:
    bundle = certificates.issue(NAMES, _now())
    parts = {name: getattr(bundle, name) for name in ("authority", "certificate", "key")}
    assert not certificates.is_good(certificates.Bundle(**{**parts, part: b"x"}), NAMES, _now())
