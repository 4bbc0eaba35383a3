"""What a runbook tells whoever watches: lines, and how far each node is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Where a runbook's progress goes: a live table, plain lines, nowhere."""

    def say(self, line: str) -> None:
        """Something happened that concerns the whole command."""

    def node(self, name: str, doing: str, done: int = 0, total: int = 0) -> None:
        """What a node does now, and how much of it (bytes) is done."""

    def output(self, name: str, line: str) -> None:
        """A line that a build or test printed on a node."""
