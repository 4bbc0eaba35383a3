"""Ansible's INI inventories: `[group]`, `[group:children]`, `[group:vars]`, `cam[01:20] key=value`.

The format: https://docs.ansible.com/ansible/latest/inventory_guide/intro_inventory.html
"""

from __future__ import annotations

import re
import shlex

from evc.pure.inventory_tree import Tree

_SECTION = re.compile(r"\[([^\[\]:]+)(?::(\w+))?\]\s*(?:[#;].*)?")
_PORT = re.compile(r"(.*[^:\]]|.*\]):(\d+)")
_KINDS = (None, "hosts", "children", "vars")


def read(text: str, tree: Tree) -> None:
    """Note all that an INI inventory says in `tree`."""
    group, kind = "ungrouped", "hosts"
    tree.group(group, 1)
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if not line or line[0] in "#;":
            continue
        if line[0] == "[" and (found := _SECTION.fullmatch(line)):
            group, kind = found.group(1), found.group(2) or "hosts"
            tree.group(group, number)
            if kind not in _KINDS:
                tree.problem(number, group, f"no section is a `:{kind[:40]}`", "children or vars")
        elif kind == "hosts":
            _host(line, group, number, tree)
        elif kind == "children":
            _child(line, group, number, tree)
        elif kind == "vars":
            _variable(line, group, number, tree)


def _host(line: str, group: str, number: int, tree: Tree) -> None:
    words = _words(line, number, tree)
    if not words:
        return
    pattern, port = words[0], None
    if found := _PORT.fullmatch(pattern):
        pattern, port = found.groups()
    pairs = [(word, *word.partition("=")) for word in words[1:]]
    for word, key, equals, _ in pairs:
        if not equals or not key:
            tree.problem(number, pattern[:80], f"{word[:80]!r} is not KEY=VALUE")
    for host in tree.host(group, pattern, number):
        for _, key, _, value in pairs:
            tree.host_variable(host, key, value, number)
        if port:
            tree.host_variable(host, "ansible_port", port, number)


def _child(line: str, group: str, number: int, tree: Tree) -> None:
    words = _words(line, number, tree)
    if len(words) == 1:
        tree.child(group, words[0], number)
    elif words:
        tree.problem(number, group, f"one group a line, not {line[:80]!r}")


def _variable(line: str, group: str, number: int, tree: Tree) -> None:
    key, equals, value = (part.strip() for part in line.partition("="))
    if not equals or not key:
        tree.problem(number, group, "not KEY=VALUE")
        return
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    tree.group_variable(group, key, value, number)


def _words(line: str, number: int, tree: Tree) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError as error:
        tree.problem(number, line.split()[0][:80], str(error).lower())
        return []
