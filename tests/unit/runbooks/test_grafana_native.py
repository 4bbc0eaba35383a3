"""`evc doctor` and a Grafana that systemd runs, with a `systemctl` of our own on the PATH."""

from __future__ import annotations

import grp
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from evc.doors import fleet as fleets
from evc.doors import system
from evc.doors.fleet import Fleet
from evc.runbooks import doctor
from evc.runbooks.doctor import Finding
from tests.pages import planted_fleet

GROUP = "nogroup"  # there is one on every Debian; Grafana's own in this test
SYSTEMCTL = """#!/bin/sh
echo "$@" >> "{log}"
[ "$1" = show ] || exit 0
echo "LoadState=loaded"; echo "ProtectHome=yes"; echo "PrivateTmp=yes"; echo "Group={group}"
sed s/=false/=no/ "{units}/grafana-server.service.d/evc.conf" 2>/dev/null
exit 0
"""


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """A fleet in a folder that is its owner's alone, where systemd runs Grafana."""
    program, units = tmp_path / "bin" / "systemctl", tmp_path / "units"
    program.parent.mkdir()
    units.mkdir()
    text = SYSTEMCTL.format(log=tmp_path / "log", units=units, group=GROUP)
    program.write_text(text)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(system, "SYSTEMD", tmp_path)
    monkeypatch.setattr(system, "UNITS", units)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as home:
        yield planted_fleet(Path(home) / "fleet")


def found(fleet: Fleet, fix: bool = False) -> Finding:
    said = cast(doctor.Progress, SimpleNamespace(say=lambda _: None))
    (one,) = doctor._grafana(fleet, fix, said)
    return one


def test_it_lets_grafana_in_and_gives_roots_group_to_nobody(fleet: Fleet, tmp_path: Path) -> None:
    home, db = fleet.root.parent, fleet.database.parent
    before = found(fleet)
    assert before.level == "warning" and "PrivateTmp hides it" in before.what
    assert f"{home} lets nobody through" in before.what
    assert f"chmod o+x {home}" in before.remedy and "evc doctor --fix" in before.remedy

    after = found(fleet, fix=True)
    assert after.level == "warning" and after.remedy == f"chmod o+x {home}"
    home.chmod(0o711)
    assert found(fleet).level == "ok"

    group = grp.getgrgid(db.stat().st_gid).gr_name
    assert group == (GROUP if os.getgid() == 0 else group) != "root"
    assert db.stat().st_mode & 0o7777 == 0o2771 and not fleets.is_shared(db)
    assert fleet.database.stat().st_mode & 0o777 == 0o660
    drop_in = (tmp_path / "units" / "grafana-server.service.d" / "evc.conf").read_text()
    assert f"SupplementaryGroups={group}\n" in drop_in and "PrivateTmp=false" in drop_in
    log = (tmp_path / "log").read_text()
    assert "daemon-reload\ntry-restart grafana-server.service\n" in log
