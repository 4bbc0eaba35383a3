"""What names, addresses and versions may look like, everywhere in EVC."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

KEYWORDS = frozenset({"all", "and", "or", "not", "gpu"})
# Sections of `hosts.ini` that are not groups of nodes.
SECTIONS = frozenset({"builder", "user", "ungrouped"})

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_MODEL = re.compile(r"[a-z0-9]([a-z0-9._-]{0,46}[a-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,30}")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_IPV6 = re.compile(r"[0-9A-Fa-f:]{2,39}")
_USER = re.compile(r"[a-z_][a-z0-9_.-]{0,31}")
# Control characters, lone surrogates, and what turns the direction of the text around it.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_PORT = re.compile(r"[1-9][0-9]{0,4}")


def _matching(pattern: re.Pattern[str], rule: str, value: str) -> str:
    if not pattern.fullmatch(value):
        raise ValueError(f"{value[:80]!r} {rule}")
    return value


def node_name(value: str) -> str:
    """A name for a node or group; raises ValueError."""
    rule = "is not a name: letters, digits, '_', '.', '-', at most 63, starting with a letter/digit"
    _matching(_NAME, rule, value)
    if value.lower() in KEYWORDS:
        raise ValueError(f"{value!r} is a word of the selector language")
    return value


def group_name(value: str) -> str:
    """A name for a group of nodes; raises ValueError."""
    if value.lower() in SECTIONS:
        raise ValueError(f"{value!r} is a section of hosts.ini, not a name for a group")
    return node_name(value)


def model_name(value: str) -> str:
    """A model's name, fit for an image tag; raises ValueError."""
    rule = "is not a model name: lower-case letters, digits, '.', '_', '-', at most 48"
    return _matching(_MODEL, rule, value)


def version(value: str) -> str:
    """A version as typed; raises ValueError."""
    rule = "is not a version: letters, digits, '.', '_', '-', at most 31"
    return _matching(_VERSION, rule, value)


def address(value: str) -> str:
    """A host name or IP address; raises ValueError."""
    if ":" in value:
        _matching(_IPV6, "is not an address", value)
        try:
            ipaddress.IPv6Address(value)
        except ValueError:
            raise ValueError(f"{value!r} is not an IPv6 address") from None
        return value
    return _matching(_HOST, "is not a host name or IP address", value)


def user(value: str) -> str:
    """A Unix account name; raises ValueError."""
    return _matching(_USER, "is not a user name", value)


def port(value: object) -> int:
    """A TCP port as number or digits (no spaces, no sign); raises ValueError."""
    text = str(value)
    _matching(_PORT, "is not a port (1 to 65535)", text)
    if int(text) > 65535:
        raise ValueError(f"{text} is not a port (1 to 65535)")
    return int(text)


def jump(value: str) -> str:
    """A jump host as `[USER@]HOST[:PORT]`; raises ValueError."""
    account, at, place = value.rpartition("@")
    host, colon, number = place.partition(":")
    if at:
        user(account)
    if colon:
        port(number)
    address(host)
    return value


def label(text: str) -> tuple[str, str]:
    """`KEY=VALUE` as a pair; raises ValueError."""
    key, separator, value = text.partition("=")
    if not separator:
        raise ValueError(f"{text[:80]!r} is not KEY=VALUE")
    return node_name(key), safe_text(value)


def safe_text(value: str) -> str:
    """Free text that nothing will take for a template or a terminal command; raises ValueError."""
    if any(mark in value for mark in ("{{", "{%", "{#")):
        raise ValueError(f"{value[:80]!r} holds a template")
    if _UNSAFE.search(value):
        raise ValueError("holds control characters")
    if len(value) > 500:
        raise ValueError("longer than 500 characters")
    return value


def printable(text: str) -> str:
    """One line without what a terminal would obey: nodes and registries write some of it."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


NodeName = Annotated[str, AfterValidator(node_name)]
GroupName = Annotated[str, AfterValidator(group_name)]
ModelName = Annotated[str, AfterValidator(model_name)]
Version = Annotated[str, AfterValidator(version)]
Address = Annotated[str, AfterValidator(address)]
User = Annotated[str, AfterValidator(user)]
Jump = Annotated[str, AfterValidator(jump)]
Port = Annotated[int, BeforeValidator(port)]
SafeText = Annotated[str, AfterValidator(safe_text)]
