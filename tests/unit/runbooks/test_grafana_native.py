"""`evc doctor` and a Grafana that systemd runs, with a `systemctl` of our own on the PATH."""

from __future__ import annotations

import grp
import os
import subprocess
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
USER, OPERATORS = "nobody", "users"
# As one that is killed does: its -wal and -shm stay.
WRITES = """
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("UPDATE node SET id = id")
os._exit(0)
"""
SYSTEMCTL = """#!/bin/sh
echo "$@" >> "{log}"
[ "$1" = show ] || exit 0
echo "LoadState=loaded"; echo "ProtectHome=yes"; echo "PrivateTmp=yes"
echo "Group={group}"; echo "User={user}"
sed s/=false/=no/ "{units}/grafana-server.service.d/evc.conf" 2>/dev/null
exit 0
"""


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """A fleet in a folder that is its owner's alone, where systemd runs Grafana."""
    program, units = tmp_path / "bin" / "systemctl", tmp_path / "units"
    program.parent.mkdir()
    units.mkdir()
    text = SYSTEMCTL.format(log=tmp_path / "log", units=units, group=GROUP, user=USER)
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


@pytest.fixture
def shared(fleet: Fleet) -> Iterator[Fleet]:
    """A fleet of several people, in a folder that everybody passes."""
    before = os.umask(0o022)
    fleet.root.parent.chmod(0o711)
    yield planted_fleet(fleet.root.parent / "shared", OPERATORS)
    os.umask(before)


def test_grafana_of_a_shared_fleet_reads_the_database_and_no_key(shared: Fleet) -> None:
    key = shared.certs / "id_ed25519"
    key.write_text("secret")
    key.chmod(0o640)
    assert "no ACL lets nobody alone in" in found(shared).what
    assert found(shared, fix=True).level == "ok" and fleets.is_shared(shared.root)
    write = ("/usr/bin/python3", "-c", WRITES, str(shared.database))
    assert ends(USER, GROUP, "cat", str(key)) == 1 != ends(USER, OPERATORS, "cat", str(key))
    assert ends(USER, GROUP, *write) == 0
    assert ends("daemon", OPERATORS, *write) == 0, "what Grafana leaves there is the operators' too"
    drop_in = system.UNITS / "grafana-server.service.d" / "evc.conf"
    assert "SupplementaryGroups" not in drop_in.read_text()


def test_what_could_not_be_fixed_is_a_finding(
    shared: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "let_in", lambda *_: system._must(["false"]))
    one = found(shared, fix=True)
    assert one.level == "warning" and "false: status 1" in one.what and one.remedy


def ends(user: str, group: str, *command: str) -> int:
    """How a command ends for an account that is in this group alone."""
    done = subprocess.run(
        command, user=user, group=group, extra_groups=[], cwd="/", capture_output=True, check=False
    )
    return done.returncode
