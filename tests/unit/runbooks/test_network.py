"""The fleet's `network:` with its files read."""

from __future__ import annotations

from pathlib import Path

import pytest

from evc.doors.fleet import Fleet
from evc.pure.errors import BadInput
from evc.runbooks import network

URL = "http://joe:sEntInel@proxy.example.net:3128"


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def write(fleet: Fleet, keys: str) -> None:
    fleet.config_file.write_text(f"network: {keys}\n")


def test_a_url_with_a_password_comes_from_a_private_file(fleet: Fleet) -> None:
    write(fleet, "{http_proxy: file:proxy, no_proxy: 'localhost, 192.0.2.1'}")
    file = fleet.root / "proxy"
    file.write_text(f"{URL}\n")
    file.chmod(0o600)
    found = network.settings(fleet)
    assert (found.http_proxy, found.no_proxy) == (URL, "localhost,192.0.2.1")
    file.chmod(0o644)
    with pytest.raises(BadInput, match="other users"):
        network.settings(fleet)
    file.write_text("ftp://joe:sEntInel@x")
    file.chmod(0o600)
    with pytest.raises(BadInput) as caught:
        network.settings(fleet)
    assert "sEntInel" not in str(caught.value)


def test_a_ca_comes_behind_the_public_ones(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "SYSTEM_CAS", fleet.root / "public.crt")
    (fleet.root / "public.crt").write_text("PUBLIC\n")
    write(fleet, "{ca: company.crt}")
    with pytest.raises(BadInput, match="cannot be read"):
        network.settings(fleet)
    (fleet.root / "company.crt").write_text("no certificate")
    with pytest.raises(BadInput, match="no certificate"):
        network.settings(fleet)
    own = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"
    (fleet.root / "company.crt").write_text(own)
    assert network.settings(fleet).ca == f"PUBLIC\n{own}"
