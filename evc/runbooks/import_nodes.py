"""Take an inventory file in: read and check all of it, write the nodes, register the new ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evc.doors import fleet as fleets
from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure import inventories, inventory_merge
from evc.pure.errors import BadFile, BadInput, Problem
from evc.pure.inventories import Listing
from evc.pure.inventory_merge import Merged
from evc.pure.outcomes import NodeOutcome, Outcome
from evc.runbooks import audit, host_keys, register, registry
from evc.runbooks import nodes as inventory
from evc.runbooks.progress import Progress
from evc.runbooks.register import Options

MAX_PROBLEMS = 100


@dataclass(frozen=True)
class Import:
    """A checked file: what it changes, and what of it EVC does not take."""

    file: Path
    merged: Merged
    left_out: tuple[str, ...]
    own: bool  # the fleet's own `hosts.ini`, changed by hand

    @property
    def names(self) -> list[str]:
        return [node.name for node in self.merged.nodes]


def read(fleet: Fleet, store: Store, file: Path, login_user: str | None) -> Import:
    """Check `file` against the inventory; raises BadFile with all its problems."""
    text, known = fleets.read_config(file), inventory.everyone(store)
    own = file.resolve() == fleet.inventory_file.resolve()
    if not own:
        inventory.refuse_edited(fleet)
    local = [node.name for node in known if node.local]
    listing = _with_paths(inventories.read(text, str(file), local), file.absolute().parent)
    saved = inventory.saved_selectors(store)
    merged = inventory_merge.merge(listing, known, saved, own, login_user)
    if merged.problems:
        raise BadFile(_capped(merged.problems))
    return Import(file, merged, listing.left_out, own)


def apply(
    fleet: Fleet,
    store: Store,
    wanted: Import,
    sudo: Mapping[str, Path],
    registering: bool,
    options: Options,
    progress: Progress,
) -> Outcome:
    """Write what `wanted` changes and register what is not yet; an outcome for each node."""
    _say_what_is_not_taken(wanted, progress)
    with fleet.lock("nodes"):
        if registering:
            registry.ensure(fleet, progress.say)
        outcomes = _write(fleet, store, wanted)
        names = {name for name, one in outcomes.items() if one.well}
        nodes = [node for node in inventory.everyone(store) if node.name in names]
        new = [node for node in nodes if not node.registered and not node.revoked]
        if registering:
            new = register.with_sudo(new, sudo)
            done = register.register(fleet, store, new, progress, options)
            outcomes |= {name: _joined(outcomes[name], one) for name, one in done.items()}
        outcome = Outcome(outcomes)
        audit.record(store, f"node import {wanted.file.name}", outcomes, outcome.word)
    return outcome


def _write(fleet: Fleet, store: Store, wanted: Import) -> dict[str, NodeOutcome]:
    """The nodes into the database and `hosts.ini`; a node that moved keeps its pinned key."""
    before = {node.name: node for node in inventory.everyone(store)}
    changed = wanted.merged.changed
    inventory.save(store, changed)
    host_keys.move(fleet, [(before[node.name], node) for node in changed if node.name in before])
    if wanted.own:
        kept = wanted.file.with_name(f"{wanted.file.name}.imported")
        fleets.replace(kept, fleets.read_config(wanted.file))
        wanted.file.unlink()
    inventory.render_inventory(fleet, store)
    outcomes = dict.fromkeys(wanted.names, NodeOutcome("nothing"))
    for node in changed:
        action = "change" if node.name in before else "add"
        outcomes[node.name] = NodeOutcome("done", (action,))
    return outcomes


def _joined(written: NodeOutcome, registered: NodeOutcome) -> NodeOutcome:
    return replace(registered, actions=written.actions + registered.actions)


def _with_paths(listing: Listing, folder: Path) -> Listing:
    """Keys and password files by their absolute paths; those that are not private are problems."""
    nodes, problems = [], list(listing.problems)
    for node in listing.nodes:
        paths = {}
        for field in ("key", "sudo_file"):
            if said := getattr(node, field):
                path = folder / Path(said).expanduser()
                paths[field] = str(path)
                problems += _private(path, f"{node.name}.{field}", listing, node.name)
        nodes.append(node.model_copy(update=paths))
    return replace(listing, nodes=tuple(nodes), problems=tuple(problems))


def _private(path: Path, key: str, listing: Listing, name: str) -> list[Problem]:
    try:
        fleets.read_private(path)
    except BadInput as error:
        line = listing.lines.get(name, 1)
        return [Problem(listing.file, line, key, error.message, error.remedy)]
    return []


def _say_what_is_not_taken(wanted: Import, progress: Progress) -> None:
    if wanted.left_out:
        names = ", ".join(wanted.left_out)
        progress.say(f"variables that EVC has no use for are left out: {names}")
    if wanted.own and wanted.merged.missing:
        names = ", ".join(wanted.merged.missing)
        progress.say(f"not in {wanted.file.name}, but kept (`evc node remove NAME`): {names}")


def _capped(problems: Sequence[Problem]) -> list[Problem]:
    unique = list(dict.fromkeys(problems))
    if len(unique) <= MAX_PROBLEMS:
        return unique
    more = f"and {len(unique) - MAX_PROBLEMS} problems more"
    return [*unique[:MAX_PROBLEMS], Problem(unique[-1].file, unique[-1].line, "-", more)]
