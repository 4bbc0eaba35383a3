"""What doctor looks at besides programs and probes: secrets' files, `network:`, tunnels, wishes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from evc.doors import fleet as fleets
from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure.errors import EvcError
from evc.pure.inventory import Node
from evc.runbooks import assignments, network, releases, rendezvous, wishes

Level = Literal["ok", "warning", "problem"]

# What `certs/` holds that anyone may read.
PUBLIC_NAMES, PUBLIC_ENDS = ("known_hosts", "rendezvous_hosts", "address"), (".crt", ".pub")


@dataclass(frozen=True)
class Finding:
    """One thing looked at: where, how it is, and what to do about it."""

    where: str
    what: str
    level: Level = "ok"
    remedy: str = ""


def tried(what: str, check: Callable[[], object], where: str = "fleet") -> Finding:
    """`what`, if `check` raises no EvcError."""
    try:
        check()
    except EvcError as error:
        return Finding(where, error.message, "problem", error.remedy)
    return Finding(where, what)


def secret_files(fleet: Fleet, fix: bool) -> list[Finding]:
    """Keys and logins that others may read or change; `fix` takes that from them."""
    others = 0o007 if fleets.is_shared(fleet.certs) else 0o077
    inside = sorted(fleet.certs.rglob("[!.]*"))  # what begins with a dot is being written
    paths = [path for path in (fleet.certs, *inside) if not _public(path)]
    found = [path for path in paths if path.stat().st_mode & others]
    if fix:
        for path in found:
            path.chmod(path.stat().st_mode & 0o7777 & ~others)
        found = []
    if not found:
        return [Finding("fleet", "keys and logins are private")]
    names = ", ".join(str(path.relative_to(fleet.root)) for path in found[:3])
    what = f"other users may read {names}{f' and {len(found) - 3} more' * (len(found) > 3)}"
    return [Finding("fleet", what, "problem", "evc doctor --fix, or chmod go-rwx")]


def _public(path: Path) -> bool:
    return path.is_symlink() or path.name in PUBLIC_NAMES or path.name.endswith(PUBLIC_ENDS)


def network_files(fleet: Fleet) -> list[Finding]:
    """The files that `network:` names."""
    if fleet.config().network.model_fields_set:
        return [tried("the files of `network:` are right", lambda: network.settings(fleet))]
    return []


def login_files(nodes: Sequence[Node]) -> list[Finding]:
    """A person's keys and sudo passwords, which registering needs, that others may read."""
    found = []
    for node in nodes:
        for path in map(Path, filter(None, (node.login_key, node.sudo_file))):
            if path.exists():
                found.append(tried("", partial(fleets.read_private, path), node.name))
    return [one for one in found if one.level != "ok"]


def tunnels(fleet: Fleet, nodes: Sequence[Node]) -> dict[str, Finding]:
    """Rendezvous that `nodes` keep their tunnels to → whether it answers."""
    found = {}
    for place in sorted({node.tunnel for node in nodes if node.tunnel}):
        try:
            rendezvous.ask(fleet, place, "show")
        except EvcError as error:
            what = f"the rendezvous {place} does not answer: {error.message}"
            remedy = "check its power, network, sshd; `evc node enroll … --via` prepares it again"
            found[place] = Finding("fleet", what, "problem", remedy)
        else:
            found[place] = Finding("fleet", f"the rendezvous {place} answers")
    return found


def unreached(node: Node, reason: str, rendezvous: Finding | None) -> Finding:
    """A node that cannot be reached; of one with a tunnel, which part of the way is missing."""
    if rendezvous is None:
        return Finding(node.name, reason, "problem", "check power, network, sshd")
    if rendezvous.level != "ok":
        return Finding(node.name, f"its rendezvous {node.tunnel} does not answer", "problem",
                       "see there")  # fmt: skip
    what = f"it keeps no tunnel to {node.tunnel}, which answers"
    remedy = "check power and network there; it tries again by itself (`evc-tunnel`, systemd, cron)"
    return Finding(node.name, f"{what}: {reason}", "problem", remedy)


def wished(fleet: Fleet, store: Store, nodes: Sequence[Node]) -> list[Finding]:
    """What nodes lack for the models that they should run: a camera, a GPU, memory, an image."""
    try:
        return _lacking(fleet, store, nodes)
    except EvcError as error:  # the settings' key
        return [Finding("fleet", error.message, "problem", error.remedy)]


def _lacking(fleet: Fleet, store: Store, nodes: Sequence[Node]) -> list[Finding]:
    found = []
    for (_, release), those in assignments.wanted(store, nodes).items():
        built = releases.by_id(store, release)
        for name, (word, _, text) in wishes.wishes(fleet, store, built, those)[1].items():
            what, _, remedy = text.partition("\n  → ")
            if word == "failed":
                said = f"{built.release.model} cannot run there: {what}"
                found.append(Finding(name, said, "warning", remedy))
    return found
