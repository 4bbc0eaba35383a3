"""Builds on real nodes: what is shipped, where it is built, what a failure says, the wheel."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Home, cut_off

pytestmark = pytest.mark.fleet

EXAMPLE = Path(__file__).parents[2] / "examples" / "face-detect"
Tiny = Callable[..., Path]


def test_only_a_project_that_changed_is_run_and_ships_one_layer(home: Home, tiny: Tiny) -> None:
    """An edit of the same length too: BuildKit takes a file of the same size and time for the one
    it has."""
    project, images = tiny("15"), []
    program, text = project / "app.py", (project / "app.py").read_text()
    words = ("run", str(project), "--on", "edge01", "--if-changed")
    for word in ("first", "other"):
        program.write_text(f"{text}# {word}\n")
        assert home.json(*words)["nodes"]["edge01"]["outcome"] == "done"
        (found,) = home.models("edge01", "tiny")
        assert home.on("edge01", "docker", "exec", found["Id"], "tail", "-n1", "app.py") == (
            f"# {word}"
        )
        images.append(found["Image"])
        again = home.json(*words)
        assert (again["outcome"], again["nodes"]) == ("nothing", {}), "no node was asked"
    before, after = (
        one["RootFS"]["Layers"]
        for one in json.loads(home.on("edge01", "docker", "image", "inspect", *images))
    )
    assert before != after and before[:-1] == after[:-1]


def test_a_builder_cut_off_from_the_registry_pulls_and_pushes_through_ssh(
    home: Home, tiny: Tiny
) -> None:
    """Its base image, the fresh one to the side that takes pushes, and that back from the other."""
    with cut_off(home, "builder01"):
        done = home.evc("run", str(tiny("16")), "--on", "edge02")
    assert "builder01: working through SSH" in done.stderr
    (found,) = home.models("edge02", "tiny")
    assert found["Config"]["Labels"]["evc.release"].startswith("16+")
    digest = found["Config"]["Labels"]["evc.digest"]
    made = json.loads(home.on("builder01", "docker", "image", "inspect", f"{found['Image']}"))
    assert [name for name in made[0]["RepoDigests"] if name.startswith("127.0.0.1:")
            and name.endswith(digest)]  # fmt: skip


def test_failing_build_shows_its_step_and_last_lines(home: Home, tiny: Tiny) -> None:
    project = tiny("7")
    (project / "Dockerfile").write_text("FROM small:1\nRUN seq 1 100 && false\n")
    done = home.evc("run", str(project), "--on", "edge01", code=1)
    assert "failed at 'build'" in done.stderr
    tail = re.findall(r"^  \| (.*)$", done.stderr, re.MULTILINE)
    assert len(tail) == 40 and any("seq 1 100 && false" in line for line in tail)
    assert any(line.endswith(" 100") for line in tail)
    newest = home.json("history")[-1]
    assert (newest["command"], newest["outcome"]) == ("run tiny", "failed")


def test_the_controller_itself_builds(home: Home, tiny: Tiny) -> None:
    """`evc node add --local` is a builder on the same path: registered, sent to, followed.

    And one builder that is dead is left out, where another can.
    """
    home.evc("node", "add", "z-local", "--local")
    home.container("builder01").kill()
    try:
        said = home.evc("run", str(tiny("10")), "--on", "edge01").stderr
        assert "the builder builder01 is left out: unreachable" in said
        (image,) = home.rows(
            "SELECT built_on FROM release_image JOIN release ON release.id = release_id"
            " WHERE version = '10'"
        )
        assert image["built_on"] == "z-local"
    finally:
        home.container("builder01").start()
        home.evc("lab", "up", "--nodes", "3", "--builders", "1")
        home.evc("node", "remove", "z-local")
    assert not (home.fleet.root / "db" / "node").exists()


def test_the_wheel_does_the_same_from_an_empty_folder(
    home: Home, tiny: Tiny, tmp_path: Path
) -> None:
    """Nothing of the checkout is used: playbooks, migrations and programs come with the wheel."""
    root, venv = Path(__file__).parents[2], tmp_path / "venv"
    made = ("--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(root))
    _ok(sys.executable, "-m", "pip", "wheel", "-q", *made)
    (wheel,) = tmp_path.glob("evc-*.whl")
    _ok(sys.executable, "-m", "venv", "--without-pip", str(venv))
    locked, versions = (root / "requirements.lock").read_text(), tmp_path / "versions"
    versions.write_text("\n".join(re.findall(r"^\S+==\S+", locked, re.MULTILINE)))
    install = (sys.executable, "-m", "pip", "--python", str(venv), "install", "-q", "--no-compile")
    _ok(*install, "-c", str(versions), str(wheel))
    empty = tmp_path / "empty"
    empty.mkdir()
    evc = [str(venv / "bin" / "evc"), "-C", str(home.fleet.root)]
    project = str(tiny("11"))
    said = json.loads(_ok(*evc, "run", project, "--on", "edge01", "-o", "json", cwd=empty))
    assert said["nodes"]["edge01"]["outcome"] == "done"
    again = json.loads(_ok(*evc, "run", project, "--on", "edge01", "-o", "json", cwd=empty))
    assert again["outcome"] == "nothing"
    answers = json.loads(_ok(*evc, "predict", "tiny", "-i", project + "/app.py", "--on", "edge01",
                             "-o", "json", cwd=empty))  # fmt: skip
    assert "problem" not in answers["predictions"][0]
    _ok(*evc, "logger", "--once", "--on", "edge01", cwd=empty)
    _starts_from_nothing(str(venv / "bin" / "evc"), empty)


def _starts_from_nothing(evc: str, folder: Path) -> None:
    """A fleet folder of its own, with a lab and a registry."""
    _ok(evc, "init", "fleet", cwd=folder)
    inside = folder / "fleet"
    lab = ("--nodes", "1", "--builders", "0", "--no-engine", "--camera")
    try:
        _ok(evc, "lab", "up", *lab, cwd=inside)
        _ok(evc, "registry", "up", cwd=inside)
        (node,) = json.loads(_ok(evc, "lab", "status", "-o", "json", cwd=inside))["nodes"]
        assert (node["name"], node["state"]) == ("edge01", "running")
        _ok(evc, "registry", "import", "python:3.11-slim", "--or-bootstrap", cwd=inside)
    finally:
        _ok(evc, "lab", "down", cwd=inside)
        _ok(evc, "registry", "down", "--purge", "--yes", cwd=inside)


def _ok(*command: str, cwd: Path | None = None) -> str:
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=own, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout
