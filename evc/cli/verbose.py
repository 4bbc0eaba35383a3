"""`evc -v`: what Ansible says itself, on stderr."""

from __future__ import annotations

import logging

from evc.pure.names import printable


class _Printable(logging.Formatter):
    """Without what a terminal would obey: nodes write some of it."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(printable(line) for line in record.getMessage().splitlines())


def begin() -> None:
    """Show it from now on."""
    handler, log = logging.StreamHandler(), logging.getLogger("evc")
    handler.setFormatter(_Printable())
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
