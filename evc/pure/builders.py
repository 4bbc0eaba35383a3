"""Which builder makes the image of which platform."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from evc.pure import platforms
from evc.pure.errors import EvcError
from evc.pure.inventory import Node
from evc.pure.platforms import Platform

Round = dict[str, Node]


def rounds(
    wanted: Collection[str],
    known: Mapping[str, Platform],
    builders: Sequence[Node],
    emulate: bool = False,
) -> tuple[list[Round], dict[str, EvcError]]:
    """Rounds of builds, platform → builder: no builder has two in one round.

    A builder of the platform's own architecture does it, the least busy one; with `emulate` one
    that runs its programs by qemu where there is none. `known` are the project's own platforms.
    The platforms that nobody can build come beside them, each with its problem.
    """
    found, problems = list[Round](), dict[str, EvcError]()
    busy: Counter[str] = Counter()
    for platform in sorted(wanted):
        able = _able(platform, builders, emulate)
        if not able:
            problems[platform] = _nobody(platform, builders)
            continue
        node = min(able, key=lambda one: (busy[one.name], _of(known, one) != platform, one.name))
        if busy[node.name] == len(found):
            found.append({})
        found[busy[node.name]][platform] = node
        busy[node.name] += 1
    return found, problems


def emulates(platform: str, node: Node) -> bool:
    """Whether a node is of another architecture than a platform."""
    return _of({}, node) != platforms.family(platform)


def _able(platform: str, builders: Sequence[Node], emulate: bool) -> list[Node]:
    native = [node for node in builders if not emulates(platform, node)]
    return native or (_emulating(platform, builders) if emulate else [])


def _emulating(platform: str, builders: Sequence[Node]) -> list[Node]:
    return [node for node in builders if platforms.family(platform) in _emulated(node)]


def _nobody(platform: str, builders: Sequence[Node]) -> EvcError:
    """That nobody builds for `platform`, and who could."""
    family, emulating = platforms.family(platform), _emulating(platform, builders)
    another = f"evc node add NAME ADDRESS --role builder (a machine of {family})"
    if emulating:
        remedy = f"{another}, or --emulate: {emulating[0].name} can, some ten times slower"
    else:
        remedy = f"{another}; or `apt-get install qemu-user-static` on one, add it again, --emulate"
    return EvcError(f"no builder for {platform}", remedy)


def _emulated(node: Node) -> list[str]:
    found = node.facts.get("emulates")
    return found if isinstance(found, list) else []


def _of(known: Mapping[str, Platform], node: Node) -> str:
    return platforms.of_node(known, node.selectable)
