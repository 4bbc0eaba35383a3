"""What follows `--on`: names, globs, groups and conditions over the nodes' facts.

    cam01,cam02      shop-*      lab      all
    'group=lab and arch=aarch64 and gpu and mem>=4G and not site=busan'

Grammar: expression = term {"or" term}; term = factor {"and" factor};
factor = "not" factor | "(" expression ")" | key [operator value].
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from evc.pure.errors import BadInput
from evc.pure.observations import Facts

Test = Callable[["Selectable"], bool]

MAX_LENGTH = 2000
MAX_DEPTH = 50
_TOKEN = re.compile(r"\s*(>=|<=|!=|=|>|<|\(|\)|[^\s=<>!()]+)")
_OPERATORS = {">=", "<=", "!=", "=", ">", "<"}
_UNITS = {"K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
_FACTS = {"arch": "architecture", "mem": "memory"}
_RESERVED = _OPERATORS | {"(", ")", "and", "or", "not"}


@dataclass(frozen=True)
class Selectable:
    """What a selector may ask of a node; `facts` hold text and numbers (memory in bytes)."""

    name: str
    groups: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)


def select(text: str, nodes: Sequence[Selectable]) -> list[str]:
    """The names of `nodes` that `text` selects, in their order; raises BadInput."""
    text = check(text)
    test = _condition(text, nodes) if _is_condition(text) else _names(text, nodes)
    return [node.name for node in nodes if test(node)]


def condition(text: str) -> Test:
    """A selector as a question to a single node, whoever else there is; raises BadInput."""
    return _parsed(check(text))[0]


def check(text: str) -> str:
    """A selector without needless spaces; raises BadInput for what is none on any fleet."""
    if not text.strip():
        raise BadInput("an empty selector selects nothing", "say --on all, a group, or names")
    if len(text) > MAX_LENGTH or not text.replace("\t", " ").isprintable():
        raise BadInput("the selector is too long or holds control characters")
    text = re.sub(r"\s*,\s*", ",", text.strip())
    if _is_condition(text):
        _parsed(text)
    elif not all(text.split(",")):
        raise BadInput("the selector has a ',' with no name beside it")
    return text


def _is_condition(text: str) -> bool:
    return re.search(r"[\s=<>!()]", text) is not None


def _names(text: str, nodes: Sequence[Selectable]) -> Test:
    wanted: set[str] = set()
    for word in text.split(","):
        wanted |= _named(word, nodes)
    return lambda node: node.name in wanted


def _named(word: str, nodes: Sequence[Selectable]) -> set[str]:
    if word == "all":
        return {node.name for node in nodes}
    found = {node.name for node in nodes if word in node.groups or node.name == word}
    if not found and any(mark in word for mark in "*?["):
        found = {node.name for node in nodes if fnmatch.fnmatchcase(node.name, word)}
    if not found:
        raise _unknown(word, nodes)
    return found


def _unknown(word: str, nodes: Sequence[Selectable]) -> BadInput:
    known = ", ".join(sorted({group for node in nodes for group in node.groups})) or "none"
    remedy = f"groups: {known}; `evc node list`"
    return BadInput(f"no node or group is called {word[:80]!r}", remedy)


def _condition(text: str, nodes: Sequence[Selectable]) -> Test:
    test, words = _parsed(text)
    for word in words:
        if not _known(word, nodes):
            raise _unknown(word, nodes)
    return test


def _parsed(text: str) -> tuple[Test, list[str]]:
    """A condition, and the words in it that stand alone."""
    tokens = _Tokens(_split(text))
    test = _expression(tokens)
    if tokens.next is not None:
        raise BadInput(f"selector: {tokens.next[:80]!r} is not understood there")
    return test, tokens.bare


def _known(word: str, nodes: Iterable[Selectable]) -> bool:
    """Whether a word means anything: `not tpyo` must not select the whole fleet."""
    if word == "all" or _FACTS.get(word, word) in Facts.model_fields:
        return True
    return any(word in node.labels or _called(node, word) for node in nodes)


def _called(node: Selectable, word: str) -> bool:
    return word in node.groups or fnmatch.fnmatchcase(node.name, word)


def _split(text: str) -> list[str]:
    tokens, position = [], 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if not match:
            raise BadInput(f"selector: {text[position:][:20]!r} is not understood")
        tokens.append(match.group(1))
        position = match.end()
    return tokens


class _Tokens:
    """The words still to read."""

    def __init__(self, words: list[str]) -> None:
        self._words = words[::-1]
        self.bare: list[str] = []
        self.depth = 0

    @property
    def next(self) -> str | None:
        return self._words[-1] if self._words else None

    def take(self) -> str:
        if not self._words:
            raise BadInput("the selector ends too early")
        return self._words.pop()

    def take_word(self) -> str:
        """The next word; raises BadInput when it is an operator or another word of the grammar."""
        word = self.take()
        if word in _RESERVED or "," in word:
            raise BadInput(f"selector: {word[:80]!r} is not understood there")
        return word

    def deeper(self) -> None:
        """Note one more `not` or parenthesis; raises BadInput for too many."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise BadInput(f"selector: more than {MAX_DEPTH} times `not` or '('")


def _expression(tokens: _Tokens) -> Test:
    tests = [_term(tokens)]
    while tokens.next == "or":
        tokens.take()
        tests.append(_term(tokens))
    return lambda node: any(test(node) for test in tests)


def _term(tokens: _Tokens) -> Test:
    tests = [_factor(tokens)]
    while tokens.next == "and":
        tokens.take()
        tests.append(_factor(tokens))
    return lambda node: all(test(node) for test in tests)


def _factor(tokens: _Tokens) -> Test:
    if tokens.next == "not":
        tokens.take()
        tokens.deeper()
        inner = _factor(tokens)
        return lambda node: not inner(node)
    if tokens.next == "(":
        tokens.take()
        tokens.deeper()
        inner = _expression(tokens)
        if tokens.take() != ")":
            raise BadInput("selector: a parenthesis is not closed")
        return inner
    word = tokens.take_word()
    if tokens.next in _OPERATORS:
        return _comparison(word, tokens.take(), tokens.take_word())
    tokens.bare.append(word)
    return lambda node: word == "all" or _called(node, word) or any(_values(node, word))


def _comparison(key: str, operator: str, value: str) -> Test:
    if operator in ("=", "!="):
        architecture = _FACTS.get(key, key) == "architecture"
        wanted = _ARCHITECTURES.get(value, value) if architecture else value
        equal = operator == "="
        return lambda node: (
            any(fnmatch.fnmatchcase(have, wanted) for have in _values(node, key)) is equal
        )
    bound = _number(value)
    if bound is None:
        raise BadInput(f"selector: {key}{operator}{value}: {value!r} is not a number")
    return lambda node: any(
        _compare(operator, have, bound) for have in map(_number, _values(node, key))
    )


def _compare(operator: str, have: float | None, bound: float) -> bool:
    if have is None:
        return False
    return {
        ">=": have >= bound,
        "<=": have <= bound,
        ">": have > bound,
        "<": have < bound,
    }[operator]


def _values(node: Selectable, key: str) -> list[str]:
    """What a node has under `key`: a label, a fact, its groups or its name."""
    if key == "group":
        return sorted(node.groups)
    if key == "name":
        return [node.name]
    if key in node.labels:
        return [node.labels[key]]
    fact = node.facts.get(_FACTS.get(key, key))
    return [str(fact)] if fact not in (None, "", False) else []


def _number(text: str) -> float | None:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)", text)
    return float(match.group(1)) * _UNITS.get(match.group(2), 1) if match else None
