"""What the registry's two sides read: logins, certificates and settings, in `certs/registry`.

address                      the chosen address; the passwords beside it are `logins.py`'s
tls/                         the server's certificate and key, for both sides
writer/ reader/              config.yml and htpasswd of one side; no password is ever in a container
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from evc.doors import certs
from evc.doors import fleet as fleets
from evc.doors.fleet import Fleet
from evc.pure import target
from evc.pure.errors import BadInput, EvcError
from evc.pure.references import HostPort
from evc.pure.target import Target
from evc.runbooks.registry import logins, place
from evc.runbooks.registry.logins import Login

SIDES = ("writer", "reader")
# No blob cache: the other side and the garbage collector delete behind its back.
CONFIG = """version: 0.1
log:
  level: warn
  accesslog: {{disabled: false}}
storage:
  filesystem: {{rootdirectory: /var/lib/registry}}
  delete: {{enabled: {writable}}}
  maintenance:
    uploadpurging: {{enabled: {writable}, age: 168h, interval: 24h, dryrun: false}}
    readonly: {{enabled: {readonly}}}
http:
  addr: :5000
  relativeurls: true
  headers: {{X-Content-Type-Options: [nosniff]}}
  tls:
    certificate: /etc/evc/tls/server.crt
    key: /etc/evc/tls/server.key
    minimumtls: tls1.2
auth:
  htpasswd: {{realm: "EVC registry", path: /etc/evc/side/htpasswd}}
"""


@dataclass(frozen=True)
class Registry:
    """The fleet's registry: where to push to and pull from (HOST:PORT); the controller's logins.

    `ca` is None where no certificate is a fleet's matter, `other` is set for one not EVC's own.
    """

    writer: str
    reader: str
    ca: Path | None
    push: Login
    pull: Login
    other: Target | None = None

    @property
    def place(self) -> str:
        """HOST:PORT that a node must reach to pull."""
        found = self.other.api if self.other else self.reader
        return found if ":" in found else f"{found}:443"

    @property
    def places(self) -> dict[str, str]:
        """The hosts that a builder pulls from and pushes to → HOST:PORT that it must reach."""
        return {self.reader: self.place} | ({} if self.other else {self.writer: self.writer})

    @property
    def insecure(self) -> list[str]:
        """The hosts that Docker must be told to talk to without TLS."""
        return [self.reader] if self.other and not self.other.tls else []

    def repository(self, name: str) -> str:
        """What a repository is called there, below its account if there is one."""
        return target.repository(self.other.account if self.other else "", name)


def load(fleet: Fleet) -> Registry:
    """The registry as the last `up` left it; raises EvcError when there was none."""
    address = place.kept(fleet)
    if not address or not fleet.ca.exists():
        raise EvcError("this fleet has no registry yet", "evc registry up")
    return _value(fleet, address)


def prepare(fleet: Fleet, address: HostPort) -> Registry:
    """Write what is missing for a registry at `address`; certificates are `renew`'s."""
    fleets.private_folder(fleet.registry_data)
    place.keep(fleet, address)
    logins.prepare(fleet)
    for side in SIDES:
        place.give(fleet, side, "config.yml", config(side))
    return _value(fleet, address)


def config(side: str) -> str:
    """The settings of one side, in the registry's own format."""
    writable = side == "writer"
    return CONFIG.format(writable=str(writable).lower(), readonly=str(not writable).lower())


def renew(fleet: Fleet, address: HostPort, now: dt.datetime) -> bool:
    """Make the CA and the server's certificate good for `address` at `now`; True on a change."""
    issuer = authority(fleet, now)
    if certificate_is_good(fleet, address, now):
        return False
    given = _given(fleet)
    if given:
        place.give(fleet, "tls", "server.key", given.key)
        place.give(fleet, "tls", "server.crt", given.certificate)
        return True
    fresh = certs.server(issuer, _needed(address) | place.own_names(), now)
    place.give(fleet, "tls", "server.key", fresh.key)
    place.give(fleet, "tls", "server.crt", fresh.certificate)
    return True


def certificate_is_good(fleet: Fleet, address: HostPort, now: dt.datetime) -> bool:
    """Whether the server's certificate serves `address` for 30 days more, under a good CA.

    One that the fleet's file names is good as it is: whoever made it renews it.
    """
    given = _given(fleet)
    try:
        pair = _read(*(place.folder(fleet) / "tls" / f"server.{end}" for end in ("crt", "key")))
        if given:
            return pair == given
        issuer = _read(fleet.ca, _ca_key(fleet))
        good = certs.authority_is_good(issuer, now)
    except (OSError, ValueError):
        return False
    return good and certs.server_is_good(pair, issuer, _needed(address), now)


def days_left(fleet: Fleet, now: dt.datetime) -> float:
    """Days until the server's certificate ends."""
    return certs.days_left((place.folder(fleet) / "tls" / "server.crt").read_text(), now)


def authority(fleet: Fleet, now: dt.datetime) -> certs.Pair:
    """The fleet's CA: made at first, kept, and in its last year renewed with the same key."""
    file, name = _ca_key(fleet), f"EVC fleet {fleet.id}"
    if not file.exists() and not fleet.ca.exists():
        pair = certs.authority(name, now)
        fleets.write_private(file, pair.key)
        fleets.replace(fleet.ca, pair.certificate)
        return pair
    try:
        if fleet.ca.exists() and certs.authority_is_good(_read(fleet.ca, file), now):
            return _read(fleet.ca, file)
        renewed = certs.authority(name, now, file.read_text())
    except (OSError, ValueError) as error:
        remedy = f"restore {fleet.ca} and {file}, or remove both: nodes then need the new CA"
        raise EvcError(f"the fleet's CA cannot be used ({error})", remedy) from None
    fleets.replace(fleet.ca, renewed.certificate)
    return renewed


def _given(fleet: Fleet) -> certs.Pair | None:
    """The certificate and key that the fleet's file names; raises BadInput for one without."""
    keys = fleet.config().registry
    if not keys.certificate and not keys.key:
        return None
    if not keys.certificate or not keys.key:
        raise BadInput("`registry:` has a certificate or a key, not both", "give both files")
    try:
        certificate = (fleet.root / keys.certificate).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{keys.certificate} cannot be read: {error}") from None
    return certs.Pair(certificate, fleets.read_private(fleet.root / keys.key) + "\n")


def _trusted(fleet: Fleet) -> Path | None:
    """The CA that signed the registry's certificate; None for a public one, which all know."""
    keys = fleet.config().registry
    if keys.certificate:
        return fleet.root / keys.ca if keys.ca else None
    return fleet.ca


def _needed(address: HostPort) -> set[str]:
    """Names without which clients would fail; the others go in when a certificate is made."""
    return {address.host, place.LOOPBACK, "localhost"}


def _value(fleet: Fleet, address: HostPort) -> Registry:
    push, pull = logins.own(fleet, "writer"), logins.own(fleet, "reader")
    return Registry(str(address), str(place.reader(address)), _trusted(fleet), push, pull)


def _read(certificate: Path, key: Path) -> certs.Pair:
    return certs.Pair(certificate.read_text(), key.read_text())


def _ca_key(fleet: Fleet) -> Path:
    return fleet.certs / "ca.key"
