"""Which one key of a project loosens the hardened default that its container died of.

Known by what programs, kernels and Docker say; each sign is one that was seen or is in errno(3).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from evc.pure.containers import USER

_READ_ONLY = re.compile(
    r"read-only file system|\bEROFS\b|\[Errno 30\]|readonly database|read-only filesystem",
    re.IGNORECASE,
)
_NOT_ROOT = re.compile(
    r"permission denied|\bEACCES\b|\bEPERM\b|operation not permitted|\[Errno 1\]|\[Errno 13\]"
    r"|must be (?:run as )?root|are you root|not running as root|(?:run|only) (?:this )?as root"
    r"|no new privileges|requires? (?:root|superuser)",
    re.IGNORECASE,
)
_MEMORY = re.compile(r"out of memory|\bOOMKilled\b|MemoryError|cannot allocate memory", re.I)
_PROCESSES = re.compile(r"can't start new thread|fork: (?:retry|resource)|\[Errno 11\]", re.I)
# A device is not root's business: the camera's own keys give it.
_DEVICE = re.compile(r"/dev/\w+")


def key(text: str, request: Mapping[str, Any]) -> str:
    """The key to set in `myEVCconfig.yaml`, `serve: {root: true}`; '' when nothing points at one.

    `text` is the reason of the failure and the last log lines, `request` how the container ran.
    The last line with a sign decides: what came before it did not end the program.
    """
    host = request.get("HostConfig", {})
    for line in reversed(text.splitlines()):
        if _READ_ONLY.search(line) and host.get("ReadonlyRootfs"):
            return "serve: {writable: true}"
        if _NOT_ROOT.search(line) and request.get("User") == USER and not _DEVICE.search(line):
            return "serve: {root: true}"
        if _MEMORY.search(line) and host.get("Memory"):
            return f"resources: {{memory: {2 * host['Memory'] // 1024**2}M}}"
        if _PROCESSES.search(line) and host.get("PidsLimit"):
            return f"resources: {{pids: {2 * host['PidsLimit']}}}"
    return ""


def advice(text: str, request: Mapping[str, Any]) -> str:
    """`key` as the end of a message about a failure, or ''."""
    found = key(text, request)
    return f"; `{found}` in myEVCconfig.yaml loosens this one default" if found else ""
