"""Choosing a lab's subnet: what other networks and routes use is left alone."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from evc.pure.errors import EvcError
from evc.runbooks.lab import network as lab_network

ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
wg0\t00001FAC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""


def test_routes_are_read_from_the_kernels_table() -> None:
    found = lab_network.parse_routes(ROUTES)
    assert found == [IPv4Network("172.17.0.0/16"), IPv4Network("172.31.0.0/16")]


def test_a_table_without_rows_is_no_route() -> None:
    assert lab_network.parse_routes("") == []
    assert lab_network.parse_routes("Iface\nhalf a row\n") == []


def test_only_name_servers_that_a_container_can_ask_count() -> None:
    text = "# nameserver 9.9.9.9\nnameserver 127.0.0.53\nnameserver 192.0.2.53\nnameserver ::1\n"
    assert lab_network.parse_name_servers(text) == ["192.0.2.53"]


@pytest.mark.parametrize("seed", [0, 255, 511, 0xFFFFFFFFFFFF])
def test_a_subnet_overlaps_nothing_and_stays_the_same(seed: int) -> None:
    taken = [IPv4Network("172.30.0.0/16"), IPv4Network("172.31.0.0/17")]
    chosen = lab_network.free_subnet(taken, seed)
    assert chosen.prefixlen == 24 and chosen.is_private
    assert not any(chosen.overlaps(other) for other in taken)
    assert chosen == lab_network.free_subnet(taken, seed)


def test_when_all_is_taken_it_says_so() -> None:
    with pytest.raises(EvcError, match="no free subnet"):
        lab_network.free_subnet([IPv4Network("0.0.0.0/0")], 7)
