"""EVC's program for nodes, the parts that need no engine; and that Python 3.8 can read it."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import os
import pwd
import struct
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

FILES = Path(__file__).parents[3] / "playbooks" / "files"
PROGRAM = FILES / "evc_node"


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, ModuleType]]:
    """The program's modules, their home in a temporary folder."""
    monkeypatch.setenv("EVC_NODE_HOME", str(tmp_path))
    monkeypatch.syspath_prepend(str(PROGRAM))
    names = [path.stem for path in PROGRAM.glob("*.py") if path.stem != "__main__"]
    kept = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    yield {name: __import__(name) for name in names}
    for name in names:
        sys.modules.pop(name, None)
    sys.modules.update(kept)


@pytest.mark.parametrize("path", sorted(FILES.rglob("*.py")), ids=lambda path: path.name)
def test_python_3_8_reads_it(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 8))


def test_a_torn_last_line_is_left_out(program: dict[str, ModuleType], tmp_path: Path) -> None:
    journal = program["journal"].Journal(tmp_path / "job")
    journal.begin({"id": "1"})
    journal.step("pull", image="x")
    with journal.path.open("a") as file:
        file.write('{"step": "comm')
    assert [entry["step"] for entry in journal.entries()] == ["begin", "pull"]
    assert not journal.finished()


def test_progress_is_no_step(program: dict[str, ModuleType], tmp_path: Path) -> None:
    journal = program["journal"].Journal(tmp_path / "job")
    journal.begin({"id": "1"})
    journal.progress("done", done=1, total=2)
    assert not journal.finished()
    journal.step("done")
    assert journal.finished()


def test_a_living_job_keeps_its_lock(program: dict[str, ModuleType], tmp_path: Path) -> None:
    journal = program["journal"].Journal(tmp_path / "job")
    lock = journal.try_lock()
    assert lock and journal.try_lock() is None
    lock.close()
    assert journal.try_lock()


def test_following_a_job_whose_process_died(program: dict[str, ModuleType], tmp_path: Path) -> None:
    journal = program["journal"].Journal(tmp_path / "job")
    journal.begin({"id": "1"})
    entries = list(program["follow"].follow(journal.folder, "1"))
    assert entries[-1]["step"] == "failed" and "killed" in entries[-1]["reason"]


def test_following_a_swap_whose_program_died_brings_it_to_its_end(
    program: dict[str, ModuleType],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    journal = program["journal"].Journal(tmp_path / "models" / "tiny")
    journal.begin({"id": "1"})
    monkeypatch.setattr(program["swap"], "recover", lambda journal: journal.step("reverted"))
    assert program["follow"].main([str(journal.folder), "1"]) == 0
    said = [json.loads(line)["step"] for line in capsys.readouterr().out.splitlines()]
    assert said == ["begin", "reverted"]


def test_following_ends_when_another_job_begins(
    program: dict[str, ModuleType], tmp_path: Path
) -> None:
    journal = program["journal"].Journal(tmp_path / "job")
    journal.begin({"id": "2"})
    (entry,) = program["follow"].follow(journal.folder, "1")
    assert entry["step"] == "failed" and "another job" in entry["reason"]


def test_pull_progress_counts_both_halves_of_a_layer(program: dict[str, ModuleType]) -> None:
    def event(status: str, current: int) -> dict[str, object]:
        return {
            "id": "a",
            "status": status,
            "progressDetail": {"current": current, "total": 100},
        }

    (half,) = program["swap"].pull_progress([event("Downloading", 100)])
    (whole,) = program["swap"].pull_progress([event("Extracting", 100)])
    assert half == (50, 100) and whole == (100, 100)


def test_log_frames_are_taken_apart(program: dict[str, ModuleType]) -> None:
    frames = b"".join(
        bytes([stream, 0, 0, 0]) + struct.pack(">I", len(text)) + text
        for stream, text in ((1, b"out\n"), (2, b"err\n"))
    )
    assert program["engine"]._demultiplexed(frames) == b"out\nerr\n"
    assert program["engine"]._demultiplexed(frames[:-2]) == b"out\ner"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("# R36 (release), REVISION: 3.0, GCID: 36923193, BOARD: generic", "36.3.0"),
        ("# R35 (release), REVISION: 4.1, GCID: 33958178", "35.4.1"),
        ("# R36 (release), GCID: 36923193, BOARD: generic", ""),
        ("# R36 (release), GCID: 36923193, REVISION:", ""),
        ("", ""),
        ("nonsense", ""),
    ],
)
def test_l4t_release(program: dict[str, ModuleType], text: str, version: str) -> None:
    """The format of /etc/nv_tegra_release, as NVIDIA documents it for Jetson Linux."""
    assert program["probe"]._l4t(text) == version


def test_a_fact_that_cannot_be_read_hides_no_other(
    program: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> str:
        raise IndexError("a board of its own kind")

    monkeypatch.setitem(program["probe"].FACTS, "gpu", broken)
    found = program["probe"].facts()
    assert "gpu" not in found and found["architecture"] == os.uname().machine


def test_a_living_job_gives_signs_of_life(
    program: dict[str, ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program["follow"], "ALIVE_SECONDS", 0.1)
    journal = program["journal"].Journal(tmp_path / "job")
    journal.begin({"id": "1"})
    lock = journal.try_lock()
    entries = program["follow"].follow(journal.folder, "1")
    assert next(entries)["step"] == "begin"
    assert (next(entries), next(entries)) == (None, None), "nothing is written, and it lives"
    lock.close()
    assert next(entry for entry in entries if entry)["step"] == "failed"


def test_older_builds_and_what_they_were_made_of_go(
    program: dict[str, ModuleType], tmp_path: Path
) -> None:
    """Two builds of a model stay; so do parts that came today, whose order is on its way."""
    parts, now = tmp_path / "parts", time.time()
    parts.mkdir()
    for number, model in enumerate(["m", "m", "m", "other"]):
        order = {"labels": {"evc.image": model}, "platform": "linux/amd64"}
        journal = program["journal"].Journal(tmp_path / "builds" / f"{number}")
        journal.begin({**order, "id": f"{number}", "parts": ["shared", f"own-{number}"]})
        os.utime(journal.path, (now + number, now + number))
    for name in ("shared", "own-0", "own-1", "own-2", "own-3", "nobodys", "todays"):
        (parts / name).write_text(name)
        if name != "todays":
            os.utime(parts / name, (now - 2 * 86400, now - 2 * 86400))
    program["prune"].builds()
    assert {one.name for one in (tmp_path / "builds").iterdir()} == {"1", "2", "3"}
    left = {one.name for one in parts.iterdir()}
    assert left == {"shared", "own-1", "own-2", "own-3", "todays"}


def test_a_node_is_a_fleets_by_its_ca_and_marks_to_the_byte(
    program: dict[str, ModuleType],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Again is the same as once; a company's CA may have any bytes, whose digest is compared."""
    monkeypatch.setattr(program["home"], "CERTS", tmp_path / "certs.d")
    ca = b"# M\xfcller\r\n-----BEGIN CERTIFICATE-----\r\n"
    order = {
        "login": '{"auths": {}}',
        "ca": {"r:5443": ca.decode("utf-8", "surrogateescape")},
        "marks": {"controller": "c:1", "fleet": "f"},
        "key": "ssh-ed25519 AAAA evc",
    }
    for changed in (True, False, True):
        monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(order)))
        assert program["trust"].main([]) == 0
        assert json.loads(capsys.readouterr().out) == {"changed": changed}
        key = (".ssh/authorized_keys", b"ssh-ed25519 AAAA evc\n", 0o600)
        login = ("docker/config.json", b'{"auths": {}}', 0o600)
        mark = ("fleet", b"f", 0o644)
        for path, data, mode in (("certs.d/r:5443/ca.crt", ca, 0o644), mark, login, key):
            assert (tmp_path / path).read_bytes() == data
            assert (tmp_path / path).stat().st_mode & 0o777 == mode
        for path, mode in ((".ssh", 0o700), ("docker", 0o700), ("certs.d/r:5443", 0o755)):
            assert (tmp_path / path).stat().st_mode & 0o777 == mode
        if not changed:  # as somebody restored it by hand, which sshd refuses
            (tmp_path / ".ssh").chmod(0o775)
            (tmp_path / ".ssh" / "authorized_keys").chmod(0o664)


def test_what_root_finds_before_anything_is_changed(tmp_path: Path) -> None:
    (tmp_path / "fleet").write_bytes(b"0123456789ab\n" + b"\xff" * 100)
    words = [sys.executable, str(FILES / "look.py"), str(tmp_path)]
    found = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    assert found["mark"].startswith("0123456789ab\n") and len(found["mark"]) <= 64
    assert (found["docker"], found["systemd"]) == (
        subprocess.run(["getent", "group", "docker"], capture_output=True).returncode == 0,
        Path("/run/systemd/system").is_dir(),
    )


def test_a_program_is_put_in_its_place_once(
    program: dict[str, ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that is there stays the same file: a follower may still load modules from it."""
    came, place = tmp_path / "came.pyz", tmp_path / "evc_node.pyz"
    monkeypatch.setattr(sys, "argv", [str(came), "install"])
    for data in (b"one", b"two"):
        came.write_bytes(data)
        files = []
        for _ in range(2):
            assert program["install"].main([]) == 0
            assert (place.read_bytes(), place.stat().st_mode & 0o777) == (data, 0o755)
            files.append(place.stat().st_ino)
        assert files[0] == files[1]


def test_what_evc_passes_through_is_open_whatever_the_umask(
    program: dict[str, ModuleType], tmp_path: Path
) -> None:
    certs = tmp_path / "docker" / "certs.d"
    before = os.umask(0o077)
    try:
        program["install"]._folder(certs, os.getuid(), os.getgid(), 0o2775)
    finally:
        os.umask(before)
    modes = [path.stat().st_mode & 0o7777 for path in (certs, certs.parent)]
    assert modes == [0o2775, 0o755]


def test_a_link_in_the_place_of_a_folder_is_not_followed(
    program: dict[str, ModuleType], tmp_path: Path
) -> None:
    user, others, link = pwd.getpwuid(os.getuid()), tmp_path / "others", tmp_path / "link"
    others.mkdir()
    link.symlink_to("/etc")
    program["install"]._take_over(str(others), user)
    program["install"]._take_over(str(tmp_path / "to-come"), user)
    assert not (tmp_path / "to-come").exists()
    with pytest.raises(SystemExit, match=f"{link} is no folder"):
        program["install"]._take_over(str(link), user)


def test_of_a_context_is_missing_what_is_not_here(
    program: dict[str, ModuleType],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is here is used from now on, and stays; the passwords are for no other user."""
    (tmp_path / "parts").mkdir()
    old = tmp_path / "parts" / "code-1.tar"
    old.touch()
    os.utime(old, (1, 1))
    (tmp_path / "parts" / "torn-3.tar").write_text("half")
    asked = {
        "parts": {"code-1.tar": 0, "weights-2.tar": 9, "torn-3.tar": 8},
        "network": {"secrets": {"pip": "word"}},
        "registries": ["127.0.0.1:1"],
    }
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(asked)))
    assert program["context"].main([]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "missing": ["weights-2.tar", "torn-3.tar"],
        "reaches": {"127.0.0.1:1": False},
    }
    assert time.time() - old.stat().st_mtime < 60
    came = tmp_path / "weights.tar"
    came.write_text("weighty.")
    assert program["context"].keep(["torn-3.tar", str(came)]) == 0
    whole = tmp_path / "parts" / "torn-3.tar"
    assert (whole.read_text(), whole.stat().st_mode & 0o777) == ("weighty.", 0o600)
    assert {one.name for one in whole.parent.iterdir()} == {"code-1.tar", "torn-3.tar"}
    kept = tmp_path / "network.json"
    assert json.loads(kept.read_text()) == asked["network"]
    assert kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("byte", [b"\0", b"\1"])
def test_a_damaged_part_is_said_and_comes_again(
    program: dict[str, ModuleType], tmp_path: Path, byte: bytes
) -> None:
    """As a power cut leaves a file: of the right size, and nothing in it."""
    part = tmp_path / "code-1.tar"
    part.write_bytes(byte * 10240)
    with pytest.raises(program["build"].BuildError, match="the next build brings it again"):
        program["build"]._extract(part, tmp_path / "context")
    assert not part.exists()


def test_weights_with_another_hash_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(FILES))
    import fetch_weights

    archive, data = tmp_path / "p-1.tar.gz", b"weights"
    with tarfile.open(archive, "w:gz") as content:
        entry = tarfile.TarInfo("p-1/a/w.onnx")
        entry.size = len(data)
        content.addfile(entry, io.BytesIO(data))
    monkeypatch.setattr(fetch_weights, "TARGET", tmp_path / "weights")
    fetch_weights.extract(archive, "a/w.onnx", hashlib.sha256(data).hexdigest())
    assert (tmp_path / "weights" / "w.onnx").read_bytes() == data
    with pytest.raises(SystemExit, match="SHA-256"):
        fetch_weights.extract(archive, "a/w.onnx", "0" * 64)
    with pytest.raises(SystemExit, match="has no"):
        fetch_weights.extract(archive, "a/none", "0" * 64)


@pytest.mark.parametrize(
    ("before", "add", "remove", "after"),
    [
        ("", ["a:1"], [], {"insecure-registries": ["a:1"]}),
        ("{}", ["a:1"], [], {"insecure-registries": ["a:1"]}),
        (
            '{"data-root": "/x", "insecure-registries": ["b:2"]}',
            ["a:1", "b:2"],
            [],
            {"data-root": "/x", "insecure-registries": ["b:2", "a:1"]},
        ),
        ('{"dns": ["x"], "insecure-registries": ["a:1"]}', [], ["a:1"], {"dns": ["x"]}),
    ],
)
def test_dockers_settings_keep_what_is_in_them(
    program: dict[str, ModuleType],
    before: str,
    add: list[str],
    remove: list[str],
    after: dict[str, object],
) -> None:
    assert json.loads(program["insecure"].merged(before, add, remove)) == after


@pytest.mark.parametrize("before", ["{", "[]", '{"insecure-registries": "a:1"}'])
def test_what_docker_would_not_read_is_left_alone(
    program: dict[str, ModuleType], before: str
) -> None:
    with pytest.raises(ValueError):
        program["insecure"].merged(before, ["a:1"], [])
