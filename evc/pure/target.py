"""Another registry than EVC's own as the one that is pushed to and pulled from."""

from __future__ import annotations

from dataclasses import dataclass

from evc.pure import references
from evc.pure.errors import BadInput
from evc.pure.names import SafeText
from evc.pure.schema import Strict

HUB = "docker.io"
# Where the hub's HTTP API and its logins are, https://distribution.github.io/distribution/spec/.
HUB_API, HUB_LOGINS = "registry-1.docker.io", "auth.docker.io"


class RegistryKeys(Strict):
    """`registry:` of `ServerConfig.yaml`.

    `running`: it runs already, and EVC starts none; `ca` is then its CA's file (none: a public CA).
    `certificate` and `key` are files for EVC's own registry, `ca` who signed them.
    """

    running: bool = False
    tls: bool = True
    ca: SafeText | None = None
    certificate: SafeText | None = None
    key: SafeText | None = None


@dataclass(frozen=True)
class Target:
    """A registry that is not EVC's: its host as Docker names it, and the account in it, or ''."""

    host: str
    account: str = ""
    tls: bool = True

    @property
    def api(self) -> str:
        """Where its HTTP API answers."""
        return HUB_API if self.host == HUB else self.host

    @property
    def logins(self) -> str:
        """The only host, beside itself, that its logins may be sent to."""
        return HUB_LOGINS if self.host == HUB else self.host.partition(":")[0]


def target(place: str | None, hub: bool, keys: RegistryKeys) -> Target | None:
    """The registry that `path: registry:` names, None where EVC runs its own; raises BadInput."""
    if not hub and not keys.running:
        if not keys.tls:
            raise BadInput("EVC's own registry always speaks TLS",
                           "`registry: {tls: false}` is for one that runs already")  # fmt: skip
        return None
    if not place:
        raise BadInput("no registry is named", "path: {registry: ACCOUNT or HOST:PORT}")
    if hub:
        return Target(HUB, references.repository(place))
    address, _, account = place.partition("/")
    host = references.host_port(address)
    return Target(str(host), references.repository(account) if account else "", keys.tls)


def repository(account: str, name: str) -> str:
    """Where an account keeps `name`: hubs know no deeper paths than ACCOUNT/NAME."""
    return f"{account}/{name.replace('/', '-')}" if account else name
