"""Where sudo passwords come from: a file, stdin, or a person at a terminal."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from evc.cli import sudo
from evc.doors.fleet import Fleet
from evc.pure.errors import BadFile, BadInput
from evc.runbooks.init import init
from tests.terminal import Terminal

NODES = ["cam01", "cam02"]
ASK = """
import sys
from pathlib import Path
from evc.cli import sudo
from evc.doors.fleet import Fleet
with sudo.private_files(Fleet(Path(sys.argv[1])), sys.argv[2:], None, True) as files:
    print(*[f"{name}={file.read_text()}" for name, file in files.items()], "end")
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return init(tmp_path / "fleet")


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    given = io.StringIO()
    monkeypatch.setattr(sys, "stdin", given)
    yield given


def read(fleet: Fleet) -> dict[str, str]:
    with sudo.private_files(fleet, NODES, "-", False) as files:
        assert all(file.stat().st_mode & 0o077 == 0 for file in files.values())
        found = {name: file.read_text() for name, file in files.items()}
    assert not any(file.exists() for file in files.values())
    return found


def test_stdin_has_one_for_all_or_one_for_each(fleet: Fleet, stdin: io.StringIO) -> None:
    for text, found in (
        ("hunter2\n", {"cam01": "hunter2", "cam02": "hunter2"}),
        ("cam01: hunter2\ncam02: b: c\n", {"cam01": "hunter2", "cam02": "b: c"}),
        ("cam02: x\n", {"cam02": "x"}),
    ):
        stdin.seek(0)
        stdin.truncate()
        stdin.write(text)
        stdin.seek(0)
        assert read(fleet) == found


def test_what_is_wrong_in_stdin_is_said_by_its_line(fleet: Fleet, stdin: io.StringIO) -> None:
    stdin.write("cam01: a\ncma02: b\n")
    stdin.seek(0)
    with pytest.raises(BadFile, match="stdin:2"):
        read(fleet)


def test_nobody_is_asked_without_a_terminal(fleet: Fleet, stdin: io.StringIO) -> None:
    with (
        pytest.raises(BadInput, match="no terminal"),
        sudo.private_files(fleet, NODES, None, True),
    ):
        pass


@pytest.mark.parametrize(
    ("nodes", "typed", "found"),
    [
        (["cam01"], ["one"], "cam01=one end"),
        (NODES, ["all"], "cam01=all cam02=all end"),
        (NODES, ["", "a: b", "two"], "cam01=a: b cam02=two end"),
    ],
    ids=["one node", "one for all", "one for each"],
)
def test_a_person_types_one_for_all_or_one_for_each(
    fleet: Fleet, nodes: list[str], typed: list[str], found: str
) -> None:
    terminal = Terminal([sys.executable, "-c", ASK, str(fleet.root), *nodes], 120, 40)
    try:
        for count, answer in enumerate(typed, 1):
            terminal.until(lambda lines, n=count: "".join(lines).count("sudo password on") == n)
            terminal.type(f"{answer}\n")
        said = terminal.until(lambda lines: "end" in "".join(lines))
        assert found in "".join(said)
    finally:
        terminal.close()
