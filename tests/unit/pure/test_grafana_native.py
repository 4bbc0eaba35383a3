"""What a systemd that hides folders says, and the drop-in that lets Grafana at the database."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from evc.pure.grafana.native import (
    Rights,
    Way,
    allowed,
    drop_in,
    group_of,
    hidden_by,
    in_the_way,
)

DEBIAN = {"ProtectHome": "yes", "PrivateTmp": "yes", "SupplementaryGroups": ""}


@pytest.mark.parametrize(
    ("folder", "shown", "hidden"),
    [
        ("/home/kim/shop/db", DEBIAN, ["ProtectHome"]),
        ("/root/shop/db", {"ProtectHome": "read-only"}, ["ProtectHome"]),
        ("/var/tmp/shop/db", DEBIAN, ["PrivateTmp"]),
        ("/tmp/shop/db", {"ProtectHome": "yes", "PrivateTmp": "no"}, []),
        ("/srv/shop/db", DEBIAN, []),
        ("/homely/db", DEBIAN, []),
    ],
)
def test_what_hides_a_folder(folder: str, shown: dict[str, str], hidden: list[str]) -> None:
    assert hidden_by(folder, shown) == hidden


def test_the_drop_in_ends_what_was_in_the_way() -> None:
    before = in_the_way(["ProtectHome"], way("kim", 0o755, 0o644), DEBIAN)
    assert list(before) == [
        "ProtectHome hides it",
        "it is not of the folder's group kim",
        "the folder's mode is 755, not 2770",
        "the file is kim's, 644, not 660",
    ]
    text = drop_in(["ProtectHome"], "kim")
    settings = dict(line.split("=") for line in text.splitlines() if "=" in line)
    assert settings["ProtectHome"] == "false" and settings["SupplementaryGroups"] == "kim"
    assert in_the_way([], way("kim", 0o2771, 0o660), settings) == {}


@pytest.mark.parametrize(
    ("home", "open_to_it"),
    [
        (Rights("/home/kim", 0o700, "kim"), False),
        (Rights("/home/kim", 0o710, "kim"), True),
        (Rights("/home/kim", 0o710, "users"), False),
        (Rights("/home/kim", 0o701, "users"), True),
        (
            Rights("/home/kim", 0o701, "kim"),
            False,
        ),  # a member of the group is not one of the others
    ],
)
def test_a_folder_above_that_nobody_may_search_is_in_the_way(
    home: Rights, open_to_it: bool
) -> None:
    found = in_the_way([], way("kim", 0o2771, 0o660, home), {"SupplementaryGroups": "kim"})
    assert found == ({} if open_to_it else {"/home/kim lets nobody through": "chmod o+x /home/kim"})


def test_roots_group_is_not_given_away() -> None:
    there = way("root", 0o755, 0o644)
    assert group_of(there.folder, DEBIAN | {"Group": "grafana"}) == "grafana"
    assert "the folder's group is root, not grafana" in in_the_way([], there, DEBIAN)


def test_an_acl_is_as_good_as_a_group() -> None:
    let_in = way("kim", 0o755, 0o640)
    let_in = replace(
        let_in,
        folder=replace(let_in.folder, own=7),
        file=replace(let_in.file, own=6),
        above=[Rights("/home/kim", 0o700, "kim", own=1)],
    )
    assert in_the_way([], let_in, DEBIAN) == {}
    read_only = replace(let_in, file=replace(let_in.file, own=4))
    assert "the file is kim's, 640, not 660" in in_the_way([], read_only, DEBIAN)


def test_grafana_is_not_made_one_of_several_operators() -> None:
    shared = replace(way("operators", 0o2770, 0o660), shared=True)
    assert in_the_way([], shared, DEBIAN) == {"no ACL lets grafana alone in": "evc doctor --fix"}
    member = in_the_way([], shared, {"SupplementaryGroups": "operators", "User": "graf"})
    assert list(member) == [
        "it is of the group operators, which reads the fleet's keys",
        "no ACL lets graf alone in",
    ]
    assert "SupplementaryGroups" not in drop_in([], "")


@pytest.mark.parametrize(
    ("mask", "entries", "rights"),
    [(7, [(0x02, 7, 472)], 7), (4, [(0x02, 7, 472)], 4), (7, [(0x02, 7, 1), (0x08, 7, 472)], 0)],
)
def test_what_an_acl_lets_a_user_do(
    mask: int, entries: list[tuple[int, int, int]], rights: int
) -> None:
    """The kernel's own layout; a mask bounds it, and a group of the same number is another."""
    whole = [(0x01, 7, 2**32 - 1), *entries, (0x10, mask, 2**32 - 1), (0x20, 0, 2**32 - 1)]
    packed = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *one) for one in whole)
    assert allowed(packed, 472) == rights


def way(group: str, folder: int, file: int, *above: Rights) -> Way:
    return Way(above, Rights("/x/db", folder, group), Rights("/x/db/e.db3", file, group))
