"""Where a project comes from: a folder, or a git URL with an optional `#REF`.

Only what can neither run a program nor read this machine's own files is a URL: https and SSH. A
message never repeats a URL, which may hold a password.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass

from evc.pure import names
from evc.pure.errors import BadInput

MAX_LENGTH = 4096
MAX_REF = 200

_REMEDY = "give a folder, https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.-]*::")
_URL = re.compile(
    r"(?:(?P<user>[^/@]*)@)?(?P<host>\[[^/\]]*\]|[^/:@\[\]]*)(?::(?P<port>[^/]*))?(?P<path>/.*)"
)
_SCP = re.compile(r"(?P<user>[^/:@]*)@(?P<host>\[[^/\]]*\]|[^/:@\[\]]*):(?P<path>.+)")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}")
_PATH = re.compile(r"[^\s\"'`\\;|&<>$(){}\[\]*?!@-][^\s\"'`\\;|&<>$(){}\[\]*?!@]*")
_REF = re.compile(r"\w[\w.+@-]*(?:/\w[\w.+@-]*)*")
_ENCODED_CONTROL = re.compile(r"%(?:[01][0-9a-f]|7f)", re.IGNORECASE)
# Hosts that hand a machine's own credentials to whoever asks from it.
_METADATA_NAMES = {"metadata", "metadata.google.internal", "metadata.goog", "instance-data"}
_METADATA_NETWORKS = [
    ipaddress.ip_network(text)
    for text in ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32")
]


@dataclass(frozen=True)
class Source:
    """A folder (`path`), or a git `url` with a `ref` ('' for the default branch)."""

    path: str = ""
    url: str = ""
    ref: str = ""


def parse(text: str) -> Source:
    """The project that `text` names; raises BadInput, which never repeats a URL."""
    if not text or len(text) > MAX_LENGTH or not text.isprintable():
        raise BadInput("a project's name is empty, too long or holds control characters", _REMEDY)
    if text.startswith("-"):
        raise BadInput("a project's name must not look like an option", "./-NAME for a folder")
    if _HELPER.match(text):
        raise BadInput("git's `NAME::` helpers run programs and are not used", _REMEDY)
    address, hash_sign, ref = text.partition("#")
    if _SCHEME.match(text):
        url = _checked_url(address)
    elif ":" in address.partition("/")[0]:
        url = _checked_scp(address)
    else:
        return Source(path=text)
    return Source(url=url, ref=_checked_ref(ref) if hash_sign else "")


def _checked_url(address: str) -> str:
    scheme, _, rest = address.partition("://")
    match = _URL.fullmatch(rest)
    if scheme not in ("https", "ssh"):
        raise BadInput(f"projects are not fetched by {scheme[:20]}://", _REMEDY)
    if not match:
        raise BadInput("not a git URL", _REMEDY)
    user = match["user"]
    if user is not None and (scheme == "https" or not _USER.fullmatch(user)):
        remedy = "keep it in a git credential helper (`git help credentials`), or use SSH"
        raise BadInput("a git URL must not hold a user's name for https, nor a password", remedy)
    _check_host(match["host"])
    if match["port"] is not None:
        _check(names.port, match["port"], "the git URL's port is not a port")
    _check_path(match["path"].removeprefix("/"))
    return address


def _checked_scp(address: str) -> str:
    match = _SCP.fullmatch(address)
    if not match or not _USER.fullmatch(match["user"]):
        raise BadInput("neither a folder nor a git URL", f"{_REMEDY}; ./NAME for a folder with ':'")
    _check_host(match["host"])
    _check_path(match["path"].removeprefix("/"))
    return address


def _check_host(host: str) -> None:
    name = host.removeprefix("[").removesuffix("]").lower()
    _check(names.address, name, "the git URL's host is not a host name or IP address")
    if _is_metadata(name):
        raise BadInput("the git URL's host is a link-local or metadata address", _REMEDY)


def _is_metadata(host: str) -> bool:
    if host in _METADATA_NAMES or host.endswith(".metadata.google.internal"):
        return True
    # `2852039166`, `0xa9fea9fe` and `0251.0376.1` are IP addresses to curl and to ssh.
    numeric = re.fullmatch(r"0x[0-9a-f]*|[0-9]+", host.rpartition(".")[2])
    if not numeric and ":" not in host:
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise BadInput("the git URL's host is not an IP address as usually written") from None
    return any(inner in network for inner in _meant(address) for network in _METADATA_NETWORKS)


Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


def _meant(address: Ip) -> list[Ip]:
    """The address, and the IPv4 address that an IPv6 one stands for (mapped, NAT64, 6to4)."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    low = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    embeds = int(address) >> 32 in (0, 0xFFFF, 0x64FF9B << 64)
    return [
        address,
        *([low] if embeds else []),
        *([address.sixtofour] if address.sixtofour else []),
    ]


def _check_path(path: str) -> None:
    if not _PATH.fullmatch(path) or _ENCODED_CONTROL.search(path):
        raise BadInput("the git URL's path is missing or holds what no path needs", _REMEDY)


def _checked_ref(ref: str) -> str:
    wrong = len(ref) > MAX_REF or ".." in ref or "@{" in ref or ref.endswith((".", ".lock"))
    if wrong or not _REF.fullmatch(ref):
        remedy = f"URL#BRANCH, URL#TAG or URL#COMMIT, at most {MAX_REF} characters"
        raise BadInput(f"{ref[:40]!r} is not a branch, tag or commit", remedy)
    return ref


def _check(rule: Callable[[str], object], value: str, message: str) -> None:
    """Raise BadInput with `message` alone when a rule of `names` refuses `value`."""
    try:
        rule(value)
    except ValueError:
        raise BadInput(message, _REMEDY) from None
