"""Errors a person can act on, and the exit code each one ends with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    FAILED = 1
    BAD_INPUT = 2
    PARTIAL = 3
    LOCKED = 4


class EvcError(Exception):
    """Something failed; `remedy` says what to type or change."""

    code = Exit.FAILED

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.remedy}" if self.remedy else self.message


class BadInput(EvcError):
    """Input or config that is wrong; nothing was contacted."""

    code = Exit.BAD_INPUT


class Locked(EvcError):
    """Another run holds the lock."""

    code = Exit.LOCKED


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a file: where it is, what it is, what to write instead."""

    file: str
    line: int
    key: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}: {self.key}: {self.message}"
        return f"{text} ({self.remedy})" if self.remedy else text


class BadFile(BadInput):
    """All the problems of one file, reported together."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
