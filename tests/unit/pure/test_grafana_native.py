"""What a systemd that hides folders says, and the drop-in that lets Grafana at the database."""

from __future__ import annotations

import pytest

from evc.pure.grafana.native import drop_in, hidden_by, in_the_way

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
    before = in_the_way(["ProtectHome"], "kim", DEBIAN, 0o755, 0o644)
    assert before == [
        "ProtectHome hides it",
        "it is not of the folder's group kim",
        "the folder's mode is 755, not 2770",
        "the file's mode is 644, not 660",
    ]
    text = drop_in(["ProtectHome"], "kim")
    settings = dict(line.split("=") for line in text.splitlines() if "=" in line)
    assert settings["ProtectHome"] == "false" and settings["SupplementaryGroups"] == "kim"
    assert in_the_way([], "kim", settings, 0o2770, 0o660) == []
