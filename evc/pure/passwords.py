"""A file of sudo passwords: one password for all, or a line `NAME: PASSWORD` for each node."""

from __future__ import annotations

from collections.abc import Collection

from evc.pure.errors import BadFile, Problem
from evc.pure.secret import Secret


def read(text: str, file: str, nodes: Collection[str]) -> dict[str, Secret]:
    """Node → its password, for those of `nodes` that have one; raises BadFile.

    A single line without `: ` is the password of all. No password is repeated in an error.
    """
    if is_for_all(text):
        return one_for_all(text.strip(), nodes)
    found: dict[str, Secret] = {}
    problems = []
    for number, line in enumerate(text.split("\n"), 1):
        name, colon, password = line.rstrip("\r").partition(": ")
        if not line.strip():
            continue
        if not colon or not password:
            problems.append(Problem(file, number, "-", "is not NAME: PASSWORD"))
        elif name not in nodes:
            remedy = f"they are {', '.join(sorted(nodes)[:5])}{' …' * (len(nodes) > 5)}"
            problems.append(Problem(file, number, "-", "not a name of these nodes", remedy))
        elif name in found:
            problems.append(Problem(file, number, name, "given twice"))
        else:
            found[name] = Secret(password)
    if problems:
        raise BadFile(problems)
    return found


def one_for_all(password: str, nodes: Collection[str]) -> dict[str, Secret]:
    """The same password for all of `nodes`."""
    return dict.fromkeys(nodes, Secret(password))


def is_for_all(text: str) -> bool:
    """Whether a file holds nothing but one password, so that it can be kept as it is."""
    return "\n" not in text.strip() and ": " not in text
