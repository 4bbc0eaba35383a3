"""What `evc dashboard export` writes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from evc.runbooks.init import init
from tests import forked


def evc(*words: str) -> subprocess.CompletedProcess[str]:
    return forked.run(words)


def test_export_names_this_fleets_database_and_folder(tmp_path: Path) -> None:
    fleet, target = init(tmp_path / "home"), tmp_path / "out"
    done = evc("-C", str(fleet.root), "dashboard", "export", "--to", str(target))
    assert done.returncode == 0, done.stderr
    written = {Path(line).relative_to(target).as_posix() for line in done.stdout.split()}
    assert written == {
        "dashboards/evc-fleet.json", "dashboards/evc-node.json", "dashboards/evc-models.json",
        "dashboards/evc-registry.json", "provisioning/datasources/evc.yaml",
        "provisioning/dashboards/evc.yaml"}  # fmt: skip
    source = json.loads((target / "provisioning/datasources/evc.yaml").read_text())
    assert source["datasources"][0]["jsonData"]["path"] == str(fleet.database)
    provider = json.loads((target / "provisioning/dashboards/evc.yaml").read_text())
    assert provider["providers"][0]["options"]["path"] == str(target / "dashboards")
    again = evc("-C", str(fleet.root), "dashboard", "export", "--to", str(target))
    assert again.stdout == done.stdout


def test_a_folder_that_cannot_be_is_said(tmp_path: Path) -> None:
    fleet = init(tmp_path / "home")
    (tmp_path / "file").write_text("")
    done = evc("-C", str(fleet.root), "dashboard", "export", "--to", str(tmp_path / "file" / "x"))
    assert done.returncode == 2
    assert "cannot be written" in done.stderr and "Traceback" not in done.stderr
