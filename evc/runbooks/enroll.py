"""Take in a node that nobody can dial: a first-boot script, then a look at who presented itself."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from evc.doors import fleet as fleets
from evc.doors import ssh
from evc.doors.fleet import Fleet
from evc.doors.ssh import HostKey, SshError
from evc.doors.store import Store
from evc.pure import enrolments
from evc.pure.enrolments import Presented
from evc.pure.errors import BadInput, EvcError
from evc.pure.inventory import Node
from evc.pure.outcomes import NodeOutcome, Outcome
from evc.pure.secret import Secret
from evc.runbooks import audit, host_keys, plays, register, registry, rendezvous
from evc.runbooks import nodes as inventory
from evc.runbooks.progress import Progress

TUNNEL_SECONDS = 90.0  # a node tries again every 5 s, by cron every minute
POLL_SECONDS = 0.5
FILES = ("evc-watch.service", "evc-watch.cron", "evc-tunnel.service", "evc-tunnel.cron")
_KEPT = ("title", "builder", "edge", "groups", "labels")


@dataclass(frozen=True)
class Waiting:
    """A node that was given a script: where it will be, and what it presented, if it has."""

    node: Node
    expires: float
    key: HostKey | None = None


def wanted(fleet: Fleet, store: Store, node: Node, place: str = "") -> Node:
    """The node as it will be at the rendezvous `place`; raises BadInput when its name is taken."""
    inventory.refuse_edited(fleet)
    node = replace(_returning(store, node), address="127.0.0.1", port=0, tunnel=place)
    inventory.refuse_conflicts(store, [node])
    return node


def enroll(
    fleet: Fleet, store: Store, node: Node, place: str, seconds: float, adopt: bool
) -> Secret:
    """The first-boot script by which `node` comes to the rendezvous `place` within `seconds`.

    Raises BadInput when its name is taken. A second script for a name undoes the first.
    """
    token = secrets.token_urlsafe(32)
    private, public = ssh.key_pair(f"evc-enroll-{node.name}")
    with fleet.lock("nodes"):
        node = wanted(fleet, store, node, place)
        if (before := _place(store, node.name)) not in ("", place):
            rendezvous.ask(fleet, before, "close", name=node.name)
        digest = hashlib.sha256(token.encode()).hexdigest()
        taken = [one.port for one in inventory.everyone(store) if one.tunnel]
        text = rendezvous.ask(
            fleet, place, "open", name=node.name, key=public, token=digest, seconds=seconds,
            taken=taken,
        )  # fmt: skip
        node = replace(node, port=enrolments.opened(text).port)
        _note(store, node)
        audit.record(store, f"node enroll {node.name}", {node.name: NodeOutcome("done")}, "done")
    return Secret(_script(fleet, node, token, private, adopt))


def waiting(fleet: Fleet, store: Store) -> dict[str, Waiting]:
    """Node → what is known of it, for all that were given a script and are not accepted yet."""
    rows = store.rows("SELECT * FROM enrolment ORDER BY name")
    answers: dict[str, Mapping[str, Presented]] = {}
    for place in {row["rendezvous"] for row in rows}:
        answers[place] = enrolments.presented(rendezvous.ask(fleet, place, "show"))
    found = {}
    for row in rows:
        wanted = json.loads(row["wanted"])
        wanted["groups"] = tuple(wanted["groups"])
        place, port = row["rendezvous"], row["port"]
        node = Node(0, row["name"], "127.0.0.1", port, tunnel=place, **wanted)
        one = answers[place].get(row["name"])
        found[node.name] = _waiting(node, one) if one else Waiting(node, 0.0)
    return found


def presented(fleet: Fleet, store: Store, name: str) -> Waiting:
    """What one node presented; raises EvcError when there is no such node, or not yet."""
    found = waiting(fleet, store).get(name)
    if found is None:
        raise BadInput(f"nobody waits by the name {name[:80]!r}", "evc node accept")
    if not found.key:
        remedy = f"run it as root on that machine; or `evc node enroll {name}` makes a new one"
        raise EvcError(f"{name}'s first-boot script has not come to its rendezvous", remedy)
    return found


def withdraw(fleet: Fleet, store: Store, name: str) -> Outcome | None:
    """Take a first-boot script back; None when there is none by that name."""
    with fleet.lock("nodes"):
        place = _place(store, name)
        if not place:
            return None
        rendezvous.ask(fleet, place, "close", name=name)
        store.write("DELETE FROM enrolment WHERE name = ?", (name,))
        outcome = Outcome({name: NodeOutcome("done", ("script",))})
        audit.record(store, f"node revoke {name}", outcome.nodes, outcome.word)
    return outcome


def accept(fleet: Fleet, store: Store, node: Node, key: HostKey, progress: Progress) -> Outcome:
    """Let the node keep its tunnel, pin the host key that it presented, and register it."""
    with fleet.lock("nodes"):
        node = replace(node, id=_returning(store, node).id)
        registry.ensure(fleet, progress.say)
        rendezvous.ask(fleet, node.tunnel, "accept", name=node.name)
        progress.say(f"waiting for the tunnel of {node.name}")
        shown = asyncio.run(_key_through_tunnel(fleet, node, key.line))
        if shown != key:
            raise EvcError(
                f"{node.name} presented {key.fingerprint} and shows {shown.fingerprint}",
                f"someone may be in between: evc node enroll {node.name} begins anew",
            )
        host_keys.repin(fleet, key)
        inventory.save(store, [node])
        store.write("DELETE FROM enrolment WHERE name = ?", (node.name,))
        saved = inventory.named(store, node.name)
        done = register.register(fleet, store, [saved], progress)
        outcome = Outcome(done)
        audit.record(store, f"node accept {node.name}", done, outcome.word)
    return outcome


async def _key_through_tunnel(fleet: Fleet, node: Node, known: str) -> HostKey:
    """The host key that the node shows behind its tunnel, as soon as that stands."""
    deadline = time.monotonic() + TUNNEL_SECONDS
    while True:
        try:
            return await ssh.host_key(node.address, node.port, plays.jump(fleet, node), known)
        except SshError as error:
            if time.monotonic() > deadline:
                raise EvcError(
                    f"the tunnel of {node.name} does not come up: {error.message}",
                    f"is it on? Then again: evc node accept {node.name}",
                ) from None
        await asyncio.sleep(POLL_SECONDS)


def _waiting(node: Node, one: Presented) -> Waiting:
    """Of its host keys, the one that OpenSSH would show first."""
    keys = sorted(one.host_keys, key=lambda key: key.split()[0] != "ssh-ed25519")
    lines = [f"{ssh.pattern(node.address, node.port)} {key}" for key in keys]
    key = HostKey(lines[0], ssh.fingerprint(lines[0])) if lines else None
    return Waiting(node, one.expires, key)


def _returning(store: Store, node: Node) -> Node:
    """`node`, with the things of a revoked one by its name; raises BadInput for one that is there.

    What was said of it anew wins.
    """
    known = {one.name: one for one in inventory.everyone(store)}.get(node.name)
    if known is None:
        return node
    if not known.revoked:
        raise BadInput(f"there is a node {node.name} already", f"evc node revoke {node.name}")
    return replace(
        known,
        title=node.title or known.title,
        builder=node.builder,
        edge=node.edge,
        groups=node.groups or known.groups,
        labels={**known.labels, **node.labels},
    )


def _place(store: Store, name: str) -> str:
    """The rendezvous that a node was given a script for, or ''."""
    row = store.row("SELECT rendezvous FROM enrolment WHERE name = ?", (name,))
    return str(row["rendezvous"]) if row else ""


def _note(store: Store, node: Node) -> None:
    wanted = json.dumps({key: getattr(node, key) for key in _KEPT}, ensure_ascii=False)
    store.write(
        "INSERT OR REPLACE INTO enrolment VALUES (?, ?, ?, ?, ?)",
        (node.name, node.tunnel, node.port, wanted, time.time()),
    )


def _script(fleet: Fleet, node: Node, token: str, private: str, adopt: bool) -> str:
    files = fleets.share() / "playbooks" / "files"
    host, _, port = node.tunnel.rpartition(":")
    values = {
        "name": node.name,
        "fleet": fleet.id,
        "adopt": "yes" if adopt else "no",
        "token": token,
        "enrolment": hashlib.sha256(f"enrolment {token}".encode()).hexdigest()[:16],
        "host": host,
        "port": port,
        "tunnel_port": str(node.port),
        "evc_key": ssh.ensure_key(fleet.ssh_key, f"evc-{fleet.id}", fleet.private_mode),
        "enroll_key": private.strip(),
        "host_line": rendezvous.host_line(fleet, node.tunnel),
    }
    for name in FILES:
        values[name.removeprefix("evc-").replace(".", "_")] = (files / name).read_text().strip()
    return enrolments.script((files / "enroll.sh").read_text(), values)
