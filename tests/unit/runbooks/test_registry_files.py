import datetime as dt
import os
import stat
from pathlib import Path

import bcrypt
import pytest

from evc.doors import certs
from evc.doors.fleet import Fleet
from evc.pure.errors import BadInput, EvcError
from evc.pure.references import HostPort
from evc.pure.secret import Secret
from evc.runbooks.registry import another, files, place, trust

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
ADDRESS = HostPort("127.0.0.1", 5443)


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    (tmp_path / "ServerConfig.yaml").write_text("{}\n")
    return Fleet(tmp_path)


def test_before_up_there_is_no_registry(fleet: Fleet) -> None:
    with pytest.raises(EvcError, match="evc registry up"):
        files.load(fleet)


def test_each_side_takes_only_its_own_login_and_files_stay_as_they_are(fleet: Fleet) -> None:
    registry = files.prepare(fleet, ADDRESS)
    files.renew(fleet, ADDRESS, NOW)
    before = _contents(fleet.certs)
    assert files.prepare(fleet, ADDRESS) == registry == files.load(fleet)
    assert _contents(fleet.certs) == before
    for side, login in (("writer", registry.push), ("reader", registry.pull)):
        user, hashed = (place.folder(fleet) / side / "htpasswd").read_text().strip().split(":")
        assert user == login.user
        assert bcrypt.checkpw(login.password.reveal().encode(), hashed.encode())
    assert registry.push.password != registry.pull.password


def test_what_containers_see_holds_no_password(fleet: Fleet) -> None:
    registry = files.prepare(fleet, ADDRESS)
    files.renew(fleet, ADDRESS, NOW)
    mounted = [*files.SIDES, "tls"]
    for file in (path for name in mounted for path in (place.folder(fleet) / name).iterdir()):
        text = file.read_text()
        for login in (registry.push, registry.pull):
            assert login.password.reveal() not in text
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.stat().st_uid == os.getuid()
    assert stat.S_IMODE((fleet.certs / "ca.key").stat().st_mode) == 0o600


def test_only_the_reader_is_read_only() -> None:
    assert "readonly: {enabled: true}" in files.config("reader")
    assert "readonly: {enabled: false}" in files.config("writer")
    assert "delete: {enabled: false}" in files.config("reader")


def test_certificates_are_made_once_and_renewed_in_time(fleet: Fleet) -> None:
    files.prepare(fleet, ADDRESS)
    assert files.renew(fleet, ADDRESS, NOW)
    assert not files.renew(fleet, ADDRESS, NOW + dt.timedelta(days=365))
    authority = fleet.ca.read_text()
    assert files.renew(fleet, ADDRESS, NOW + dt.timedelta(days=367))
    assert fleet.ca.read_text() == authority
    assert files.days_left(fleet, NOW + dt.timedelta(days=367)) == 396


def test_a_new_address_renews_the_certificate(fleet: Fleet) -> None:
    files.prepare(fleet, ADDRESS)
    files.renew(fleet, ADDRESS, NOW)
    assert files.renew(fleet, HostPort("registry.example", 5443), NOW)
    assert not files.renew(fleet, HostPort("registry.example", 6000), NOW)


def test_a_lost_authority_is_never_replaced_in_silence(fleet: Fleet) -> None:
    files.prepare(fleet, ADDRESS)
    files.renew(fleet, ADDRESS, NOW)
    (fleet.certs / "ca.key").unlink()
    with pytest.raises(EvcError, match="restore"):
        files.renew(fleet, ADDRESS, NOW + dt.timedelta(days=380))


def test_docker_is_told_of_the_ca_for_both_sides_and_forgets_it(
    fleet: Fleet, tmp_path: Path
) -> None:
    registry = files.prepare(fleet, ADDRESS)
    files.renew(fleet, ADDRESS, NOW)
    certs = tmp_path / "certs.d"
    trust.trust(registry, certs)
    assert trust.is_trusted(registry, certs)
    assert sorted(path.name for path in certs.iterdir()) == ["127.0.0.1:5443", "127.0.0.1:5444"]
    trust.forget(registry, certs)
    assert list(certs.iterdir()) == []


def test_without_permission_the_commands_for_root_are_shown(fleet: Fleet, tmp_path: Path) -> None:
    registry = files.prepare(fleet, ADDRESS)
    files.renew(fleet, ADDRESS, NOW)
    (tmp_path / "file").write_text("")
    with pytest.raises(EvcError, match=r"sudo install -D -m 644 .*5443.*&&.*5444"):
        trust.trust(registry, tmp_path / "file")


def test_the_configured_address_wins_and_the_kept_one_stays(fleet: Fleet) -> None:
    place.keep(fleet, HostPort("127.0.0.1", 7000))
    assert place.decide(fleet) == HostPort("127.0.0.1", 7000)
    fleet.config_file.write_text("path:\n  registry: 127.0.0.1:7100\n")
    assert place.decide(fleet) == HostPort("127.0.0.1", 7100)
    fleet.config_file.write_text("path:\n  registry: acme\n  dockerhub: true\n")
    assert place.decide(fleet) == HostPort("127.0.0.1", 7000)


def test_a_kept_address_that_is_no_longer_this_machines_is_left(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.keep(fleet, HostPort("198.51.100.9", 7000))
    monkeypatch.setattr(place, "default_host", lambda fleet: "127.0.0.1")
    assert place.decide(fleet) == HostPort("127.0.0.1", 7000)


def test_an_address_that_cannot_work_is_refused(fleet: Fleet) -> None:
    with pytest.raises(BadInput, match="not an address of this machine"):
        place.published_on(HostPort("198.51.100.9", 5443))
    fleet.config_file.write_text("path:\n  registry: 127.0.0.1:65535\n")
    with pytest.raises(BadInput, match="65535"):
        place.decide(fleet)


def test_published_on_the_address_and_loopback_only() -> None:
    assert place.published_on(ADDRESS) == ["127.0.0.1"]
    assert place.published_on(HostPort("localhost", 5443)) == ["127.0.0.1"]
    own = place.route_source()
    assert place.published_on(HostPort(own, 1)) == list(dict.fromkeys([own, "127.0.0.1"]))


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_certificate_of_ones_own_is_used_as_it_is(fleet: Fleet) -> None:
    issuer = certs.authority("a company", NOW)
    pair = certs.server(issuer, {"127.0.0.1"}, NOW)
    (fleet.root / "own.crt").write_text(pair.certificate)
    (fleet.root / "own.key").write_text(pair.key)
    (fleet.root / "company.crt").write_text(issuer.certificate)
    keys = "registry: {certificate: own.crt, key: own.key, ca: company.crt}\n"
    fleet.config_file.write_text(keys)
    (fleet.root / "own.key").chmod(0o644)
    with pytest.raises(BadInput, match="other users"):
        files.renew(fleet, ADDRESS, NOW)
    (fleet.root / "own.key").chmod(0o600)
    registry = files.prepare(fleet, ADDRESS)
    assert files.renew(fleet, ADDRESS, NOW) and not files.renew(fleet, ADDRESS, NOW)
    assert (place.folder(fleet) / "tls" / "server.crt").read_text() == pair.certificate
    assert registry.ca == fleet.root / "company.crt"
    fleet.config_file.write_text(keys.replace(", ca: company.crt", ""))
    assert files.load(fleet).ca is None, "a public CA, which every machine knows"


def test_another_registry_needs_no_up_and_its_logins_are_private_files(fleet: Fleet) -> None:
    fleet.config_file.write_text("path: {registry: shop, dockerhub: true}\n")
    other = another.find(fleet)
    assert other
    with pytest.raises(EvcError, match="no login"):
        another.load(fleet, other)
    another.keep_login(fleet, "shop", Secret("one:with colon"), nodes=False)
    found = another.load(fleet, other)
    assert (found.writer, found.reader, found.ca) == ("docker.io", "docker.io", None)
    assert found.push == found.pull == files.Login("shop", Secret("one:with colon"))
    assert (found.place, found.insecure) == ("registry-1.docker.io:443", [])
    another.keep_login(fleet, "readers", Secret("two"), nodes=True)
    assert another.load(fleet, other).pull.user == "readers"
    for name in ("login", "login-nodes"):
        assert stat.S_IMODE((place.folder(fleet) / name).stat().st_mode) == 0o600
