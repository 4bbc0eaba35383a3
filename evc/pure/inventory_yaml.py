"""Ansible's YAML inventories: groups with `hosts`, `vars` and `children`."""

from __future__ import annotations

import difflib
from typing import Any

from evc.pure import yamltext
from evc.pure.inventory_tree import Tree
from evc.pure.yamltext import Document, Path

_PARTS = ("hosts", "vars", "children")


def read(text: str, tree: Tree) -> None:
    """Note all that a YAML inventory says in `tree`; raises BadFile for what is no YAML."""
    document = yamltext.parse(text, tree.file)
    for name, path, body in _entries(document, (), document.value, tree):
        _group(document, name, path, body, tree)


def _entries(
    document: Document, path: Path, value: Any, tree: Tree
) -> list[tuple[str, Path, dict[str, Any]]]:
    """The named mappings at `path`; what is something else is a problem."""
    if value is None:
        return []
    if not isinstance(value, dict):
        tree.problem(document.line(path), _dotted(path), "must hold names, each with a ':'")
        return []
    found = []
    for name, body in value.items():
        if body is None or isinstance(body, dict):
            found.append((name, (*path, name), body or {}))
        else:
            inner = (*path, name)
            tree.problem(document.line(inner), _dotted(inner), "must hold keys, or nothing")
    return found


def _group(document: Document, name: str, path: Path, body: dict[str, Any], tree: Tree) -> None:
    tree.group(name, document.line(path))
    for key in body.keys() - set(_PARTS):
        near = difflib.get_close_matches(key, _PARTS, n=1)
        remedy = f"did you mean {near[0]!r}?" if near else "a group has hosts, vars and children"
        tree.problem(document.line((*path, key)), _dotted((*path, key)), "unknown key", remedy)
    for host, inner, variables in _entries(document, (*path, "hosts"), body.get("hosts"), tree):
        for one in tree.host(name, host, document.line(inner)):
            for key, value in _said(variables):
                tree.host_variable(one, key, value, document.line((*inner, key)))
    where, variables = (*path, "vars"), body.get("vars") or {}
    if not isinstance(variables, dict):
        tree.problem(document.line(where), _dotted(where), "must hold variables")
        variables = {}
    for key, value in _said(variables):
        tree.group_variable(name, key, value, document.line((*where, key)))
    below = _entries(document, (*path, "children"), body.get("children"), tree)
    for child, inner, deeper in below:
        tree.child(name, child, document.line(inner))
        _group(document, child, inner, deeper, tree)


def _said(variables: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(key, value) for key, value in variables.items() if value is not None]


def _dotted(path: Path) -> str:
    return ".".join(str(part) for part in path) or "-"
