"""Ansible's messages, as recorded, become what is in the way and what to do."""

from __future__ import annotations

import pytest

from evc.pure.complaints import explain

OLD = "ansible-core requires a minimum of Python version 3.8. Current version: 3.6.9 (default)"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (f"what is there: {OLD}", "its Python is 3.6.9; EVC needs Python 3.8 or newer"),
        ("x: MODULE FAILURE SyntaxError: future feature annotations is not defined", "older than"),
        ("x: /bin/sh: 1: python3: not found", "there is no Python: `apt-get install python3`"),
        ("x: Incorrect sudo password", "the sudo password is wrong"),
        ("x: Missing sudo password", "--ask-sudo or --sudo-file FILE"),
        ("x: sudo: a password is required", "sudo asks for a password there"),
        ("x: pi is not in the sudoers file.", "may not use sudo there"),
        ("x: /bin/sh: 1: sudo: not found", "there is no sudo"),
        ("Failed to connect: pi@h: Permission denied (publickey,password).", "check --user and"),
        ("this node belongs to the fleet x; --adopt takes it over", "this node belongs"),
    ],
)
def test_a_message_names_the_way_out(message: str, said: str) -> None:
    assert said in explain(message)
