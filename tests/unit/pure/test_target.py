"""Which registry the fleet's file means, and what its repositories are called there."""

from __future__ import annotations

import pytest

from evc.pure import target
from evc.pure.errors import BadInput
from evc.pure.target import RegistryKeys, Target

RUNNING = RegistryKeys(running=True)


@pytest.mark.parametrize(
    ("place", "hub", "keys", "found"),
    [
        (None, False, RegistryKeys(), None),
        ("192.0.2.1:5443", False, RegistryKeys(), None),
        ("shop", False, RegistryKeys(), None),
        ("shop", True, RegistryKeys(), Target("docker.io", "shop")),
        ("192.0.2.1:5000", False, RUNNING, Target("192.0.2.1:5000")),
        ("registry.example.net:443/team/shop", False, RUNNING,
         Target("registry.example.net:443", "team/shop")),
        ("192.0.2.1:5000", False, RegistryKeys(running=True, tls=False),
         Target("192.0.2.1:5000", tls=False)),
    ],
)  # fmt: skip
def test_the_registry_of_a_file(
    place: str | None, hub: bool, keys: RegistryKeys, found: Target | None
) -> None:
    assert target.target(place, hub, keys) == found


@pytest.mark.parametrize(
    ("place", "hub", "keys"),
    [
        (None, True, RegistryKeys()),
        ("account-or-host:port", True, RegistryKeys()),
        ("Shop; id", True, RegistryKeys()),
        (None, False, RUNNING),
        ("registry.example.net", False, RUNNING),
        ("192.0.2.1:5000/../x", False, RUNNING),
        ("192.0.2.1:5000", False, RegistryKeys(tls=False)),
    ],
)
def test_what_names_no_registry(place: str | None, hub: bool, keys: RegistryKeys) -> None:
    with pytest.raises(BadInput):
        target.target(place, hub, keys)


def test_the_hub_by_its_api_and_names_without_depth() -> None:
    hub = Target("docker.io", "shop")
    assert (hub.api, hub.logins) == ("registry-1.docker.io", "auth.docker.io")
    other = Target("192.0.2.1:5000")
    assert (other.api, other.logins) == ("192.0.2.1:5000", "192.0.2.1")
    assert target.repository("shop", "library/python") == "shop/library-python"
    assert target.repository("shop", "x86_64-model") == "shop/x86_64-model"
    assert target.repository("", "library/python") == "library/python"
