"""The fleet's private registry: up, down, what it holds. What other runbooks need is here.

Two processes over one storage: the writer takes the logins that push, the reader is read-only and
takes one login for each node. Both speak TLS with a certificate of the fleet's own CA.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
from dataclasses import dataclass
from pathlib import Path

from evc.doors.docker import Say
from evc.doors.fleet import Fleet
from evc.pure.errors import BadInput, EvcError
from evc.pure.references import HostPort
from evc.pure.secret import Secret
from evc.runbooks.registry import another, check, files, images, place, trust
from evc.runbooks.registry.containers import Containers, PortTaken
from evc.runbooks.registry.files import SIDES, Registry
from evc.runbooks.registry.images import Stored
from evc.runbooks.registry.logins import Login

__all__ = ["Login", "Registry", "Status", "Stored",
           "down", "ensure", "import_image", "load", "renew"]  # fmt: skip


@dataclass(frozen=True)
class Side:
    """One side of the registry; `reason` says why it is not up."""

    address: str
    up: bool
    container: str
    reason: str


@dataclass(frozen=True)
class Status:
    """The registry now."""

    writer: Side
    reader: Side
    certificate_days_left: float | None
    storage_bytes: int
    repositories: list[str]


def up(fleet: Fleet, say: Say) -> Registry:
    """Start the registry, or what is missing of it, and try it with a real image.

    One that runs already is only asked. Raises EvcError.
    """
    if another.find(fleet):
        return _asked(fleet)
    with fleet.lock("registry"):
        registry = _started(fleet, say)
        check.push_and_pull(registry, say)
    return registry


def ensure(fleet: Fleet, say: Say) -> Registry:
    """The registry, brought up if anything is amiss with it; a fraction of a second if not."""
    return load(fleet) if not another.find(fleet) and _is_well(fleet) else up(fleet, say)


def renew(fleet: Fleet, say: Say) -> bool:
    """Bring the registry up anew if something is amiss, a certificate in its last days too.

    False when there was nothing to do. One that was taken down stays so, and another's is theirs.
    """
    ours = not another.find(fleet) and place.kept(fleet)
    if not ours or Containers(fleet).state("writer") != "running" or _is_well(fleet):
        return False
    up(fleet, say)
    return True


def load(fleet: Fleet) -> Registry:
    """The fleet's registry as a value; raises EvcError when there is none yet."""
    other = another.find(fleet)
    return another.load(fleet, other) if other else files.load(fleet)


def login(fleet: Fleet, user: str, password: Secret, nodes: bool) -> None:
    """Keep a login for a registry that is not EVC's; raises BadInput, or EvcError if refused."""
    if not another.find(fleet):
        why = "EVC's own registry makes its logins itself"
        raise BadInput(
            why, "`registry: {running: true}` or `path: {dockerhub: true}` names another"
        )
    another.keep_login(fleet, user, password, nodes)
    check.answers(load(fleet), "reader" if nodes else "writer")


def down(fleet: Fleet, say: Say) -> None:
    """Stop and remove both containers; images, logins and certificates stay."""
    with fleet.lock("registry"):
        _stop(fleet, say)


def purge(fleet: Fleet, say: Say) -> None:
    """`down`, and remove all images, the logins and this machine's trust. The CA stays."""
    with fleet.lock("registry"):
        _stop(fleet, say)
        if place.kept(fleet):
            trust.forget(files.load(fleet))
        for folder in (fleet.registry_data, place.folder(fleet)):
            _remove(folder)
            say(f"removed {folder}")


def import_image(fleet: Fleet, local_image: str, as_name: str, say: Say) -> str:
    """Store an image of the local engine as `as_name` (an official name under `library/`).

    The digest by which nodes pull it. What is there already is not pushed again.
    """
    registry = ensure(fleet, say)
    with fleet.lock("registry"):
        return images.import_image(registry, local_image, as_name, say)


def list_images(fleet: Fleet) -> list[Stored]:
    """Every tag in the registry; the database's list of them is brought up to date."""
    found = images.listed(load(fleet))
    images.record(fleet, found)
    return found


def status(fleet: Fleet) -> Status:
    """Whether both sides answer, and how much there is."""
    if another.find(fleet):
        return _status_of_another(load(fleet))
    registry, containers = load(fleet), Containers(fleet)
    writer, reader = (_side(registry, containers, side) for side in SIDES)
    found = images.listed(registry) if reader.up else []
    return Status(
        writer,
        reader,
        files.days_left(fleet, _now()),
        _size(fleet.registry_data),
        sorted({each.repository for each in found}),
    )


def _asked(fleet: Fleet) -> Registry:
    """A registry that runs already, which this machine's Docker trusts and which answers."""
    found = load(fleet)
    trust.trust(found)
    check.answers(found, "writer")
    check.answers(found, "reader")
    return found


def _status_of_another(registry: Registry) -> Status:
    try:
        check.answers(registry, "reader")
        side = Side(registry.reader, True, "not EVC's", "")
    except EvcError as error:
        side = Side(registry.reader, False, "not EVC's", error.message)
    return Status(side, side, None, 0, [])


def _started(fleet: Fleet, say: Say) -> Registry:
    address, before = place.decide(fleet), place.kept(fleet)
    if before and before != address:
        say(f"the registry moves from {before} to {address}")
        trust.forget(files.load(fleet))
    registry = files.prepare(fleet, address)
    renewed = files.renew(fleet, address, _now())
    containers = Containers(fleet)
    try:
        changed = containers.run(address, say)
    except PortTaken:
        if before or not _has_another(fleet, address):
            raise
        return _started(fleet, say)
    if not changed and renewed:
        say("restarting the registry with its new certificate")
        containers.restart()
    trust.trust(registry)  # only now is the address ours
    for side in SIDES:
        _wait(registry, containers, side)
    return registry


def _has_another(fleet: Fleet, taken: HostPort) -> bool:
    """Give up an address that another took between look and start; False if it was no choice."""
    place.give_up(fleet)
    return place.decide(fleet) != taken


def _is_well(fleet: Fleet) -> bool:
    address = place.kept(fleet)
    if not address or address != place.decide(fleet):
        return False
    try:
        registry = files.load(fleet)
        for side in SIDES:
            check.answers(registry, side)
    except EvcError:
        return False
    good = files.certificate_is_good(fleet, address, _now()) and trust.is_trusted(registry)
    return good and Containers(fleet).are_running(address)


def _wait(registry: Registry, containers: Containers, side: str) -> None:
    try:
        check.wait(registry, side)
    except EvcError as error:
        text = f"the registry's {side} does not come up: {error.message}"
        raise EvcError(f"{text}\n{containers.last_lines(side)}", error.remedy) from None


def _side(registry: Registry, containers: Containers, side: str) -> Side:
    address = registry.writer if side == "writer" else registry.reader
    try:
        check.answers(registry, side)
    except EvcError as error:
        return Side(address, False, containers.state(side), error.message)
    return Side(address, True, containers.state(side), "")


def _stop(fleet: Fleet, say: Say) -> None:
    for name in Containers(fleet).remove():
        say(f"removed {name}")


def _remove(folder: Path) -> None:
    try:
        if folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        why = f"{error.filename} cannot be removed ({error.strerror})"
        raise EvcError(why, f"sudo rm -r '{folder}'") from None


def _size(folder: Path) -> int:
    """Bytes of all files below; a push may move some while we look."""
    total = 0
    for file in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += file.lstat().st_size if file.is_file() else 0
    return total


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
