"""First-boot scripts, keys with limits, and what a rendezvous may answer."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from evc.pure import enrolments
from evc.pure.errors import EvcError

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA" + "a" * 44
FILES = Path(__file__).parents[3] / "playbooks" / "files"
HOSTILE = ["$(touch ran)", "`touch ran`", "'; touch ran; '", "a\ntouch ran", '"', "\\", "-e", ""]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_is_one_word_of_the_script(value: str, tmp_path: Path) -> None:
    text = enrolments.script("printf '%s' @value@", {"value": value})
    done = subprocess.run(["sh", "-c", text], cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout.decode() == value
    assert not (tmp_path / "ran").exists()


def test_a_value_is_no_template_itself() -> None:
    assert enrolments.script("@a@ @b@", {"a": "@b@", "b": "x"}) == "@b@ x"


def test_the_script_is_a_shells_whatever_is_in_it() -> None:
    template = (FILES / "enroll.sh").read_text()
    names = {found[1] for found in enrolments._PLACEHOLDER.finditer(template)}
    for value in HOSTILE:
        text = enrolments.script(template, dict.fromkeys(names, value))
        subprocess.run(["sh", "-n"], input=text.encode(), check=True)


def test_the_controller_may_manage_and_reach_nodes_and_nothing_else() -> None:
    line = enrolments.controller_line("/p.py", f"{KEY} a comment\n", "0123")
    assert line == (
        'restrict,port-forwarding,permitopen="127.0.0.1:*",permitlisten="nowhere.invalid:1",'
        f'command="python3 /p.py manage" {KEY} evc:0123:controller'
    )


def test_what_a_rendezvous_says_of_nodes() -> None:
    known = {"port": 20001, "expires": 1.5, "host_keys": [KEY], "more": 1}
    (one,) = enrolments.presented(json.dumps({"cam01": known})).values()
    assert (one.port, one.host_keys, one.used) == (20001, [KEY], None)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "[]",
        '{"a": 1}',
        '{"../x": {"port": 20001, "expires": 1}}',
        '{"a": {"port": 70000, "expires": 1}}',
        '{"a": {"port": 20001, "expires": NaN}}',
        '{"a": {"port": 20001, "expires": 1, "host_keys": ["ssh-rsa A"]}}',
        json.dumps({"a": {"port": 20001, "expires": 1, "host_keys": [f"{KEY}\nx {KEY}"]}}),
        json.dumps({"a": {"port": 20001, "expires": 1, "host_keys": [f"* {KEY}"]}}),
        json.dumps({"a": {"port": 20001, "expires": 1, "host_keys": [KEY] * 6}}),
        "[" * 100_000,
    ],
)
def test_what_a_hostile_rendezvous_says_is_refused(answer: str) -> None:
    with pytest.raises(EvcError, match="not one of EVC's"):
        enrolments.presented(answer)
