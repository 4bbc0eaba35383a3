"""The fleet's `network:` with its files read: what builds get so that they reach packages."""

from __future__ import annotations

from pathlib import Path

from evc.doors import fleet as fleets
from evc.doors.fleet import Fleet
from evc.pure import network
from evc.pure.errors import BadInput
from evc.pure.network import FILE, Settings

SYSTEM_CAS = Path("/etc/ssl/certs/ca-certificates.crt")
MAX_CA_BYTES = 480_000  # BuildKit takes secrets of up to 500 KiB


def settings(fleet: Fleet) -> Settings:
    """What builds need, passwords and all; raises BadInput for a file that will not do."""
    given = fleet.config().network
    return Settings(
        http_proxy=_url(fleet, given.http_proxy),
        https_proxy=_url(fleet, given.https_proxy),
        no_proxy=",".join(given.no_proxy),
        ca=_bundle(fleet.root / given.ca) if given.ca else "",
        apt_mirror=_url(fleet, given.apt_mirror),
        pip_index=_url(fleet, given.pip_index),
    )


def _url(fleet: Fleet, value: str | None) -> str:
    """A URL, or the one that a private file holds."""
    if not value or not value.startswith(FILE):
        return value or ""
    file = fleet.root / value.removeprefix(FILE)
    try:
        return network.address(fleets.read_private(file))
    except ValueError as error:
        raise BadInput(f"{file}: {error}", "one line: http://USER:PASSWORD@HOST:PORT") from None


def _bundle(file: Path) -> str:
    """The company's CA behind the public ones, which a step without it would know too."""
    try:
        own = file.read_text(encoding="ascii")
        public = SYSTEM_CAS.read_text(encoding="utf-8") if SYSTEM_CAS.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} (network: ca) cannot be read: {error}") from None
    if "-----BEGIN CERTIFICATE-----" not in own:
        raise BadInput(f"{file} (network: ca) holds no certificate", "a PEM file is wanted")
    whole = f"{public.rstrip()}\n{own}" if public else own
    return whole if len(whole) <= MAX_CA_BYTES else own
