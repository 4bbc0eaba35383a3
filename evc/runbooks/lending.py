"""The registry on the loopback of nodes that do not reach it, through EVC's own SSH connection."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from evc.doors import ssh
from evc.doors.fleet import Fleet
from evc.pure.inventory import Node
from evc.runbooks import plays, registry
from evc.runbooks.progress import Progress


def lent(
    fleet: Fleet, nodes: Sequence[Node], place: str
) -> contextlib.AbstractContextManager[dict[str, int]]:
    """Node → the port of its loopback that is `place` (HOST:PORT): Docker wants no CA there."""
    host, _, port = place.rpartition(":")
    targets = [plays.target(fleet, node) for node in nodes]
    return ssh.lent_ports(targets, host.strip("[]"), int(port))


@contextlib.contextmanager
def to_builders(
    fleet: Fleet,
    builders: Mapping[str, Node],
    reaches: Mapping[str, Mapping[str, bool]],
    progress: Progress,
) -> Iterator[Mapping[str, Mapping[str, str]]]:
    """Builder → what it calls the registry's sides meanwhile, for those that it does not reach."""
    found: dict[str, dict[str, str]] = {name: {} for name in builders}
    with contextlib.ExitStack() as stack:
        for host, place in registry.load(fleet).places.items():
            cut_off = [one for name, one in builders.items() if not reaches[name].get(place, True)]
            ports = stack.enter_context(lent(fleet, cut_off, place))
            for name, port in ports.items():
                found[name][host] = f"127.0.0.1:{port}"
                progress.node(name, "working through SSH: it does not reach the registry")
        yield found
