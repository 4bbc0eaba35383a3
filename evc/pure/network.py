"""How builds reach the outside: proxies, a company's CA, mirrors of apt's and pip's packages.

None of it may stay in an image: proxies are Docker's predefined build arguments, all else is
mounted for single `RUN` lines, as BuildKit's secrets.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator

from evc.pure.names import SafeText
from evc.pure.schema import Strict

FILE = "file:"
PROXIES = ("http_proxy", "https_proxy", "no_proxy")
# Where Debian's and Ubuntu's images keep their package sources.
SOURCES = ("sources.list", "sources.list.d/debian.sources", "sources.list.d/ubuntu.sources")
_URL = re.compile(r"https?://[A-Za-z0-9._~:/@%+=,\[\]-]{1,500}")
_RUN = re.compile(r"^\s*RUN\s", re.IGNORECASE)
_FROM = re.compile(r"^\s*FROM\s+((?:--\S+\s+)*\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)
_APT = re.compile(r"\bapt(?:-get)?\b")
_PROXY_ARGUMENT = re.compile(r"^\s*(?:ARG|ENV)\s+\w*_proxy\b", re.IGNORECASE | re.MULTILINE)

# The distribution's own servers give way to the mirror; paths (`/debian`, `/ubuntu`) stay.
_APT_STAGE = r"""FROM {base} AS {stage}
RUN --mount=type=secret,id=evc-mirror : {mark} && mkdir -p /evc-apt/sources.list.d \
 && for f in {sources}; do [ -e /etc/apt/$f ] || : > /evc-apt/$f; [ ! -e /etc/apt/$f ] \
 || sed -E "s#https?://[a-z.]+\.(debian\.org|ubuntu\.com)#$(cat /run/secrets/evc-mirror)#g" \
 /etc/apt/$f > /evc-apt/$f; done
"""


def url(value: str) -> str:
    """A URL without a password, or `file:PATH` of a private file with one; raises ValueError."""
    if value.startswith(FILE) and len(value) > len(FILE):
        return value
    found = address(value)
    if "@" in urlsplit(found).netloc:
        raise ValueError("a login does not belong here: write file:PATH of a 0600 file that holds"
                         " the URL")  # fmt: skip
    return found


def address(value: str) -> str:
    """An http or https URL of plain characters; raises ValueError without repeating it."""
    if not _URL.fullmatch(value) or not urlsplit(value).hostname:
        raise ValueError("is not an http:// or https:// URL (other characters as %XX)")
    return value.rstrip("/")


def _words(value: object) -> object:
    return value.replace(",", " ").split() if isinstance(value, str) else value


Url = Annotated[SafeText, AfterValidator(url)]


class Network(Strict):
    """`network:` of `ServerConfig.yaml`: what builds need to reach packages from there."""

    http_proxy: Url | None = None
    https_proxy: Url | None = None
    no_proxy: Annotated[list[SafeText], BeforeValidator(_words)] = []
    ca: SafeText | None = None
    apt_mirror: Url | None = None
    pip_index: Url | None = None


@dataclass(frozen=True)
class Settings:
    """The same with its files read; texts may hold passwords and do not show."""

    http_proxy: str = field(default="", repr=False)
    https_proxy: str = field(default="", repr=False)
    no_proxy: str = ""
    ca: str = field(default="", repr=False)
    apt_mirror: str = field(default="", repr=False)
    pip_index: str = field(default="", repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """The proxies as programs look for them: in small and in capital letters."""
        found = {name: getattr(self, name) for name in PROXIES if getattr(self, name)}
        return {**found, **{name.upper(): value for name, value in found.items()}}

    @property
    def secrets(self) -> dict[str, str]:
        """What is mounted for single build steps: id → content."""
        texts = {"evc-ca": self.ca, "evc-mirror": self.apt_mirror, "evc-pip": self._pip()}
        texts["evc-apt"] = f'Acquire::https::CaInfo "{_RUN_CA}";\n' if self.ca else ""
        return {name: text for name, text in texts.items() if text}

    def _pip(self) -> str:
        """pip's settings, https://pip.pypa.io/en/stable/topics/configuration/."""
        parts = urlsplit(self.pip_index)
        lines = [f"index-url = {self.pip_index}"] if self.pip_index else []
        lines += [f"trusted-host = {parts.hostname}"] if parts.scheme == "http" else []
        lines += [f"cert = {_RUN_CA}"] if self.ca else []
        return "\n".join(["[global]", *lines, ""]) if lines else ""


NONE = Settings()
_RUN_CA = "/run/secrets/evc-ca"


def keeps_proxy(text: str) -> bool:
    """Whether a Dockerfile declares a proxy itself, which would put its value into the image."""
    return _PROXY_ARGUMENT.search(text) is not None


def dockerfile(text: str, settings: Settings) -> str:
    """The Dockerfile with what its `RUN` lines need mounted; the image holds none of it."""
    known = settings.secrets
    return "".join(_lines(text, known)) if known else text


def _lines(text: str, known: Mapping[str, str]) -> Iterator[str]:
    """The lines; before a base whose packages come from a mirror, a stage that makes the list."""
    stages: dict[str, str] = {}
    current = ""
    for number, line in enumerate(_instructions(text)):
        base = _FROM.match(line)
        if base and "evc-mirror" in known:
            image, name = base.group(1), (base.group(2) or "").lower()
            current = stages.get(image.lower(), "") or f"evc-apt-{number}"
            if image.lower() not in stages and _uses_apt(text):
                yield _apt_stage(image, current, known["evc-mirror"])
            stages[name] = current
        if _RUN.match(line):
            flags = "".join(f" --mount={one}" for one in _mounts(line, known, current))
            line = re.sub(r"^(\s*RUN)", rf"\1{flags}", line, count=1, flags=re.IGNORECASE)
        yield line


def _instructions(text: str) -> Iterator[str]:
    """Whole instructions, continued lines together, as they are written."""
    whole = ""
    for line in text.splitlines(keepends=True):
        whole += line if line.endswith("\n") else f"{line}\n"
        if not line.rstrip().endswith("\\") and not (whole != line and line.lstrip()[:1] == "#"):
            yield whole
            whole = ""
    if whole:
        yield whole


def _mounts(line: str, known: Collection[str], apt_stage: str) -> list[str]:
    apt = bool(_APT.search(line))
    found = []
    if "evc-ca" in known:
        found.append("type=secret,id=evc-ca")
        if not apt:  # installing ca-certificates writes this file anew
            found.append("type=secret,id=evc-ca,target=/etc/ssl/certs/ca-certificates.crt")
    if "evc-pip" in known:
        found.append("type=secret,id=evc-pip,target=/etc/pip.conf,mode=0444")
    if "evc-apt" in known and apt:
        found.append("type=secret,id=evc-apt,target=/etc/apt/apt.conf.d/99evc,mode=0444")
    if "evc-mirror" in known and apt and "sources.list" not in line:
        places = [f"source=/evc-apt/{one},target=/etc/apt/{one}" for one in SOURCES]
        found += [f"type=bind,from={apt_stage},{place}" for place in places]
    return found


def _uses_apt(text: str) -> bool:
    return any(_RUN.match(line) and _APT.search(line) for line in _instructions(text))


def _apt_stage(base: str, stage: str, mirror: str) -> str:
    """A secret is no part of the build cache's key: a mark of it is, so that a change counts."""
    mark = hashlib.sha256(mirror.encode()).hexdigest()[:12]
    return _APT_STAGE.format(base=base, stage=stage, mark=mark, sources=" ".join(SOURCES))
