"""What Ansible says when it cannot work on a machine, as what is in the way and what to do."""

from __future__ import annotations

import re

_PYTHON = (
    "EVC needs Python 3.8 or newer there: install one beside it (`apt-get install python3.8`), let"
    " `python3` be that one (`ln -s /usr/bin/python3.8 /usr/local/bin/python3`), register again"
)
# Pattern → what it means; `{0}` is the pattern's group. The first that is found counts.
_MEANINGS = [
    (r"minimum of Python version 3\.\d+\. Current version: ([\w.]+)",
     f"its Python is {{0}}; {_PYTHON}"),
    (r"future feature annotations|SyntaxError", f"its Python is older than 3.8; {_PYTHON}"),
    (r"python3?['\"]?: (?:command )?not found|python3: No such file",
     "there is no Python: `apt-get install python3` there, register again"),
    (r"[Ii]ncorrect (?:sudo )?password|Sorry, try again|[Ii]ncorrect \w+ password",
     "the sudo password is wrong: give the right one with --ask-sudo or --sudo-file FILE"),
    (r"[Mm]issing sudo password|a password is required",
     "sudo asks for a password there: give it with --ask-sudo or --sudo-file FILE"),
    (r"is not in the sudoers file|may not run sudo",
     "that user may not use sudo there: log in as one who may, with --user"),
    (r"sudo['\"]?: (?:command )?not found|sudo: No such file",
     "there is no sudo: log in as root (`--user root`), or install it there"),
    (r"Permission denied \(([\w,-]+)\)",
     "nobody can log in with that user and key (it takes {0}): check --user and --key"),
]  # fmt: skip


def explain(message: str) -> str:
    """The way out for a message of Ansible's, else the message itself."""
    for pattern, meaning in _MEANINGS:
        if found := re.search(pattern, message):
            return meaning.format(*found.groups())
    return message
