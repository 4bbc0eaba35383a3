"""A node whose program lies, hangs or says too much: it alone fails, and in time.

The node is this machine, so that the program can be one of the test's own.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evc.doors import ansible
from evc.doors.ansible import Connection, Result
from evc.doors.fleet import Fleet
from evc.pure import observations
from evc.pure.inventory import Node
from evc.runbooks import ask, follow, plays
from evc.runbooks.init import init
from evc.runbooks.probe import Silent, probe

BEGUN = Result(tasks={"start": {"stdout": '{"folder": "f", "job": "j"}'}})
DONE = 'print(\'{"step": "done"}\', flush=True)'
NODES = {name: Node(1, name, "", 0, local=True, registered=True) for name in ("bad", "good")}


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return init(tmp_path / "fleet")


@pytest.fixture
def program(fleet: Fleet) -> Callable[[str], None]:
    """Puts a text in the place of EVC's program."""
    place = fleet.database.parent / "node"
    place.mkdir(parents=True)

    def put(text: str) -> None:
        (place / "evc_node.pyz").write_text(f"import json, sys, time\n{text}\n")

    return put


def followed(fleet: Fleet, bad: Result) -> dict[str, Any]:
    return follow.follow(fleet, NODES, {"bad": bad, "good": BEGUN}, lambda name, entry: None)


@pytest.mark.parametrize(
    "said",
    ["", "nonsense", "[]", "null", "{}", '{"folder": "f"}', '{"folder": 1, "job": []}', "[" * 9999,
     json.dumps({"folder": "f", "job": "j" * 10_000})],
    ids=lambda said: said[:12],
)  # fmt: skip
def test_a_job_that_is_none_fails_its_node_alone(
    fleet: Fleet, program: Callable[[str], None], said: str
) -> None:
    program(DONE)
    ends = followed(fleet, Result(tasks={"start": {"stdout": said}}))
    assert ends["bad"]["step"] == "failed" and "which job" in ends["bad"]["reason"]
    assert ends["good"]["step"] == "done"


def test_silence_ends_the_following_and_signs_of_life_do_not(
    fleet: Fleet, program: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "SILENCE_SECONDS", 3.0)
    program(f"for _ in range(8): print(flush=True); time.sleep(0.5)\n{DONE}\ntime.sleep(60)")
    began = time.monotonic()
    assert followed(fleet, BEGUN)["bad"]["step"] == "done"
    program("time.sleep(60)")
    end = followed(fleet, BEGUN)["bad"]
    assert end["step"] == "failed" and "nothing came" in end["reason"]
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("line", ['{"step": "x", "progress": true}', "nonsense"])
def test_entries_without_end_are_ended(
    fleet: Fleet, program: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setattr(follow, "MAX_ENTRIES", 100)
    program(f"while True: print({line!r}, flush=True)")
    assert "more than 100 entries" in followed(fleet, BEGUN)["bad"]["reason"]


def test_a_line_without_end_is_ended(fleet: Fleet, program: Callable[[str], None]) -> None:
    program("while True: sys.stdout.write('x' * 65536)")
    assert followed(fleet, BEGUN)["bad"]["step"] in ("failed", "lost")


ODD = json.dumps({"facts": {"architecture": "{{ lookup('pipe', 'touch MARK') }}\x1b[2J"}})


@pytest.mark.parametrize(
    "text",
    ["print('garbage')", "sys.exit('broken')", "print(sys.stdin.read()[:1] * 1_500_000)",
     f"print({ODD!r} + ' ' * 1_000_000)"],
    ids=["garbage", "exit", "brackets", "megabyte"],
)  # fmt: skip
def test_a_probe_of_nonsense_is_a_silent_node(
    fleet: Fleet, program: Callable[[str], None], tmp_path: Path, text: str
) -> None:
    program(text.replace("MARK", str(tmp_path / "ran")))
    found = probe(fleet, [NODES["bad"]])["bad"]
    assert isinstance(found, Silent) and found.reachable
    assert "\x1b" not in found.reason and not (tmp_path / "ran").exists()


def test_a_probe_that_hangs_is_given_up(
    fleet: Fleet, program: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plays, "PATIENCE_SECONDS", 2)
    program("time.sleep(60)")
    began = time.monotonic()
    found = probe(fleet, [NODES["bad"]])["bad"]
    assert isinstance(found, Silent)
    assert (found.reachable, found.outcome) == (False, "failed")
    assert "within 2 s" in found.reason and "evc node add" in found.reason
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    "said",
    [
        "",
        "[]",
        '{"missing": "code", "reaches": {}}',
        '{"missing": [["x"]], "reaches": {}}',
        json.dumps({"missing": ["x"] * 101, "reaches": {}}),
    ],
)
def test_a_builder_that_tells_no_sense_of_what_it_lacks(
    fleet: Fleet, program: Callable[[str], None], said: str
) -> None:
    program(f"print({said!r})")
    found, problems = ask.each(fleet, NODES, "context", {"bad": "{}"}, observations.readiness)
    assert found == {} and "did not say what it lacks" in problems["bad"].message


def test_an_answer_that_does_not_come_is_given_up(
    fleet: Fleet, program: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plays, "PATIENCE_SECONDS", 2)
    program("time.sleep(60)")
    assert "within 2 s" in ask.each(fleet, NODES, "context", {"bad": "{}"}, str)[1]["bad"].message


def test_a_play_that_hangs_on_one_node_stands_for_the_others(tmp_path: Path) -> None:
    playbook = tmp_path / "p.yaml"
    playbook.write_text(
        "- hosts: all\n  gather_facts: false\n  tasks:\n"
        "    - {name: wait, ansible.builtin.command: {argv: [sleep, '{{ seconds }}']}}\n"
    )
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    hosts = {
        name: {**local, "seconds": seconds} for name, seconds in (("good", "0"), ("bad", "60"))
    }
    connection = Connection(tmp_path / "known_hosts", tmp_path)
    results = ansible.play(playbook, hosts, {}, connection, timeout=5)
    assert results["good"].ok and results["good"].tasks["wait"]["rc"] == 0
    assert not results["bad"].ok and "wait: not done within 5 s" in results["bad"].message
