"""How this machine's Docker comes to trust the fleet's registry.

Docker reads `certs.d/HOST:PORT/ca.crt` on each connection: it is never restarted for this.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from evc.pure.errors import EvcError
from evc.runbooks.registry.files import Registry

DOCKER_CERTS = Path("/etc/docker/certs.d")
ROOTLESS_CERTS = Path(".config/docker/certs.d")


def is_trusted(registry: Registry, certs: Path = DOCKER_CERTS) -> bool:
    """Whether Docker has the registry's CA for both sides, where it needs one."""
    if registry.ca is None:
        return True
    wanted = registry.ca.read_bytes()
    return all(file.exists() and file.read_bytes() == wanted for file in _files(registry, certs))


def trust(registry: Registry, certs: Path = DOCKER_CERTS) -> None:
    """Give Docker the fleet's CA for both sides; raises EvcError with what root has to type."""
    if registry.ca is None or is_trusted(registry, certs):
        return
    try:
        for file in _files(registry, certs):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(registry.ca.read_bytes())
    except OSError as error:
        files = _files(registry, certs)
        typed = [f"sudo install -D -m 644 '{registry.ca}' '{file}'" for file in files]
        why = f"Docker cannot be told to trust the registry ({error.strerror}: {error.filename})"
        raise EvcError(why, " && ".join(typed)) from None


def forget(registry: Registry, certs: Path = DOCKER_CERTS) -> None:
    """Take the CA away from Docker again, if it is this fleet's."""
    for file in _files(registry, certs) if registry.ca else []:
        if registry.ca and file.exists() and file.read_bytes() == registry.ca.read_bytes():
            try:
                shutil.rmtree(file.parent)
            except OSError as error:
                why = f"{file.parent} cannot be removed ({error.strerror})"
                raise EvcError(why, f"sudo rm -r '{file.parent}'") from None


def _files(registry: Registry, certs: Path) -> list[Path]:
    return [certs / side / "ca.crt" for side in (registry.writer, registry.reader)]
