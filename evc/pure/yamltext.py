"""YAML as text: every scalar stays what was typed, so `1.10`, `no` and `22:22` keep their meaning.

The schema that reads the result decides what is a number. Anchors and aliases work, aliases as
mapping keys too; tags, duplicate keys, deep nesting and alias bombs do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from evc.pure.errors import BadFile, Problem

MAX_CHARACTERS = 1_000_000
MAX_DEPTH = 50
MAX_VALUES = 50_000
MAX_EVENTS = 2 * MAX_VALUES
MAX_PROBLEMS = 100

Path = tuple[str | int, ...]
Pair = tuple[yaml.Node, yaml.Node]
_NULL = {"", "~", "null", "Null", "NULL"}
_STANDARD_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Document:
    """What a YAML text holds (dict, list, str, None), and the line each key path stands on."""

    file: str
    value: Any
    lines: dict[Path, int] = field(default_factory=dict)

    def line(self, path: Path) -> int:
        """The line of `path`, or of its nearest parent that has one."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def parse(text: str, file: str) -> Document:
    """Read one YAML document; raises BadFile naming the line of whatever is wrong."""
    if len(text) > MAX_CHARACTERS:
        raise BadFile([Problem(file, 1, "-", f"larger than {MAX_CHARACTERS:,} characters")])
    try:
        _check_events(text, file)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise BadFile([Problem(file, line, "-", error.problem or "not YAML")]) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise BadFile([Problem(file, 1, "-", f"not YAML: {str(error)[:200]}")]) from error
    return _Builder(file).document(root)


def _check_events(text: str, file: str) -> None:
    """Refuse what must not reach the recursive composer: nesting and tags that name objects."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        if count > MAX_EVENTS:
            raise BadFile([Problem(file, _line(event), "-", f"more than {MAX_VALUES:,} values")])
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                line = _line(event)
                raise BadFile([Problem(file, line, "-", f"nested deeper than {MAX_DEPTH} levels")])
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        tag = getattr(event, "tag", None)
        if tag and (not tag.startswith(_STANDARD_TAG) or "python" in tag):
            raise BadFile([Problem(file, _line(event), "-", f"tag {tag!r} refused")])


class _Builder:
    """Turns a node graph into plain values, counting what aliases expand to."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Path, int] = {}
        self.problems: list[Problem] = []
        self.values = 0

    def document(self, root: yaml.Node | None) -> Document:
        value = self._value(root, ()) if root is not None else None
        if self.problems:
            raise BadFile(self.problems)
        return Document(self.file, value, self.lines)

    def _value(self, node: yaml.Node, path: Path) -> Any:
        self._count(node, len(path))
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _count(self, node: yaml.Node, depth: int) -> None:
        self.values += 1
        if self.values > MAX_VALUES or depth > MAX_DEPTH:
            line = node.start_mark.line + 1
            raise BadFile([Problem(self.file, line, "-", "aliases expand to too much")])

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in self._pairs(node):
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or not key.isprintable():
                self._problem(line, path, "key is not text")
            elif key in mapping:
                self._problem(line, (*path, key), "key given twice")
            else:
                self.lines[(*path, key)] = line
                mapping[key] = self._value(value_node, (*path, key))
        return mapping

    def _problem(self, line: int, path: Path, message: str) -> None:
        self.problems.append(Problem(self.file, line, _dotted(path), message))
        if len(self.problems) >= MAX_PROBLEMS:
            raise BadFile(self.problems)

    def _pairs(self, node: yaml.MappingNode, depth: int = 0) -> Iterator[Pair]:
        """The mapping's pairs; those of `<<: *base` or `<<: [*a, *b]` come behind its own keys."""
        merged = [base for pair in node.value for base in _bases(pair)]
        own = [pair for pair in node.value if not _bases(pair)]
        yield from own
        known = {str(key.value) for key, _ in own}
        for base in merged:
            self._count(base, depth)
            for key, value in self._pairs(base, depth + 1):
                if str(key.value) not in known:
                    known.add(str(key.value))
                    yield key, value

    @staticmethod
    def _scalar(node: yaml.Node) -> str | None:
        plain = isinstance(node, yaml.ScalarNode) and node.style is None
        return None if plain and node.value in _NULL else str(node.value)


def _bases(pair: Pair) -> list[yaml.MappingNode]:
    """The mappings that a `<<` pair merges in; none for any other pair."""
    key, value = pair
    if key.value != "<<":
        return []
    items = value.value if isinstance(value, yaml.SequenceNode) else [value]
    return [item for item in items if isinstance(item, yaml.MappingNode)]


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _dotted(path: Path) -> str:
    return ".".join(str(part) for part in path) or "-"
