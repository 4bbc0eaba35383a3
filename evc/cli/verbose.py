"""`evc -v`: what Ansible and SSH say themselves, on stderr."""

from __future__ import annotations

import logging

from evc.pure.names import printable


class _Printable(logging.Formatter):
    """Without what a terminal would obey: nodes write some of it."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(printable(line) for line in record.getMessage().splitlines())


def begin() -> None:
    """Show it from now on."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Printable())
    for name, level in (("evc", logging.DEBUG), ("asyncssh", logging.INFO)):
        log = logging.getLogger(name)
        log.addHandler(handler)
        log.setLevel(level)
