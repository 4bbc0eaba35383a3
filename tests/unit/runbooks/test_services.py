"""EVC's units, with a `systemctl` that notes what it is told and says that all is active."""

from __future__ import annotations

from pathlib import Path

import pytest

from evc.doors import system
from evc.pure.errors import EvcError
from evc.runbooks import services
from evc.runbooks.init import init

STUB = '#!/bin/sh\necho "$*" >> {}\n[ "$1" != is-active ] || echo active\n'


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the stub notes its words."""
    stub, file = tmp_path / "bin" / "systemctl", tmp_path / "told"
    stub.parent.mkdir()
    stub.write_text(STUB.format(file))
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stub.parent}:/usr/bin:/bin")
    for name in ("UNITS", "SYSTEMD"):
        folder = tmp_path / name.lower()
        folder.mkdir()
        monkeypatch.setattr(system, name, folder)
    monkeypatch.setattr(system, "_sudo", list)  # these folders are ours
    return file


def test_installed_asked_and_removed(tmp_path: Path, told: Path) -> None:
    fleet = init(tmp_path / "fleet")
    name = f"evc-{fleet.id}"
    running = [f"{name}-logger.service", f"{name}-sync.timer", f"{name}-renewal.timer"]
    assert services.status(fleet) == dict.fromkeys(running, "none")
    for _ in range(2):
        written = services.install(fleet)
    assert {path.name for path in system.UNITS.iterdir()} == {*written} > {*running}
    assert f'"{fleet.root}" "logger"' in (system.UNITS / running[0]).read_text()
    up = ["daemon-reload", f"enable --now {' '.join(running)}"]
    assert told.read_text().splitlines() == up * 2
    assert services.status(fleet) == dict.fromkeys(running, "active")
    told.write_text("")
    assert services.remove(fleet) == written
    assert list(system.UNITS.iterdir()) == []
    down = [f"disable --now {' '.join(running)}", "daemon-reload"]
    assert told.read_text().splitlines() == down
    assert services.remove(fleet) == [] and told.read_text().splitlines() == down


def test_what_systemctl_refuses_is_said(tmp_path: Path, told: Path) -> None:
    stub = told.parent / "bin" / "systemctl"
    stub.write_text("#!/bin/sh\necho 'Access denied' >&2\nexit 1\n")
    with pytest.raises(EvcError, match="Access denied"):
        services.install(init(tmp_path / "fleet"))


def test_without_systemd_cron_is_named(
    tmp_path: Path, told: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "SYSTEMD", tmp_path / "nowhere")
    with pytest.raises(EvcError) as refused:
        services.install(init(tmp_path / "fleet"))
    assert "@reboot evc -C DIR logger" in refused.value.remedy and not told.exists()
