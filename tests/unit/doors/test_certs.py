import contextlib
import datetime as dt
import ssl
from pathlib import Path

import pytest

from evc.doors import certs
from evc.doors.certs import Pair

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
HOSTS = {"127.0.0.1", "localhost", "registry.example"}


@pytest.fixture(scope="module")
def authority() -> Pair:
    return certs.authority("a fleet", NOW)


@pytest.fixture(scope="module")
def server(authority: Pair) -> Pair:
    return certs.server(authority, HOSTS, NOW)


def test_a_server_is_good_for_its_names_until_30_days_are_left(
    authority: Pair, server: Pair
) -> None:
    def good(days: float) -> bool:
        return certs.server_is_good(server, authority, HOSTS, NOW + days * DAY)

    assert good(0) and good(365.9)
    assert not good(366.1)
    assert not good(-1.1), "not valid yet"


def test_a_server_that_must_have_another_name_is_renewed(authority: Pair, server: Pair) -> None:
    assert certs.names(server.certificate) == HOSTS
    assert certs.server_is_good(server, authority, {"localhost"}, NOW)
    assert not certs.server_is_good(server, authority, {"192.0.2.7"}, NOW)


def test_a_nodes_clock_may_be_a_day_behind_and_no_certificate_outlives_397_days(
    server: Pair,
) -> None:
    assert certs.days_left(server.certificate, NOW - DAY) == 397


def test_another_authority_or_key_is_not_good(authority: Pair, server: Pair) -> None:
    other = certs.authority("a fleet", NOW)
    assert not certs.server_is_good(server, other, HOSTS, NOW)
    mixed = Pair(server.certificate, certs.server(authority, HOSTS, NOW).key)
    assert not certs.server_is_good(mixed, authority, HOSTS, NOW)
    assert not certs.server_is_good(Pair("", ""), authority, HOSTS, NOW)
    assert not certs.authority_is_good(Pair(authority.certificate, other.key), NOW)


def test_an_authority_lives_ten_years_and_is_renewed_with_its_key(
    authority: Pair, server: Pair
) -> None:
    late = NOW + 9.5 * 365 * DAY
    assert certs.authority_is_good(authority, NOW + 8 * 365 * DAY)
    assert not certs.authority_is_good(authority, late)
    renewed = certs.authority("a fleet", late, authority.key)
    assert certs.authority_is_good(renewed, late)
    assert certs.server_is_good(server, renewed, HOSTS, NOW), "what it signed stays good"


def test_openssl_takes_them_for_their_names_only(tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    authority = certs.authority("a fleet", now)
    server = certs.server(authority, HOSTS, now)
    (tmp_path / "server.crt").write_text(server.certificate)
    (tmp_path / "server.key").write_text(server.key)
    listening = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    listening.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    client = ssl.create_default_context(cadata=authority.certificate)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    assert _handshake(client, listening, "registry.example") == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        _handshake(client, listening, "elsewhere.example")


def test_keys_are_not_printed(authority: Pair) -> None:
    assert "KEY" not in repr(authority)


def _handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> str | None:
    """The version of TLS that both ends agree on when the client wants `name`."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(to_client, to_server, server_hostname=name)
    answering = server.wrap_bio(to_server, to_client, server_side=True)
    for end in (asking, answering) * 4:
        with contextlib.suppress(ssl.SSLWantReadError):
            end.do_handshake()
    return asking.version()
