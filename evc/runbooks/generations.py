"""Which controller of a fleet is the one: a restored one is, and an earlier one refuses to act.

Each restore is a new generation. Nodes carry the mark of the one that came last, which nobody can
make who has not the fleet's key: a node that lies stops no controller.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping

from evc.doors import fleet as fleets
from evc.doors.fleet import Fleet
from evc.pure.errors import BadInput

GENERATION, SUPERSEDED = "generation", "superseded"


def begin(fleet: Fleet) -> None:
    """Make this the newest controller of the fleet."""
    fleets.write_private(fleet.certs / GENERATION, str(int(time.time() * 1000)))
    (fleet.certs / SUPERSEDED).unlink(missing_ok=True)


def mark(fleet: Fleet) -> str:
    """What nodes carry of this controller; '' for one that was never restored."""
    file = fleet.certs / GENERATION
    return _mark(fleet, int(file.read_text())) if file.exists() else ""


def compare(fleet: Fleet, marks: Mapping[str, str]) -> None:
    """Look at nodes' marks; raises BadInput, now and later, when one is of a later controller."""
    own = _generation(fleet, mark(fleet))
    for node, found in marks.items():
        if _generation(fleet, found) > own:
            seen = f"{node} said so on {fleets.local_time(time.time())}"
            fleets.write_private(fleet.certs / SUPERSEDED, seen)
            refuse(fleet)


def refuse(fleet: Fleet) -> None:
    """Raise BadInput when another controller has taken the fleet over."""
    file = fleet.certs / SUPERSEDED
    if file.exists():
        raise BadInput(
            f"another controller has taken this fleet over ({file.read_text()})",
            "use that one; or take it back here: `evc restore` a backup of that one",
        )


def _generation(fleet: Fleet, text: str) -> int:
    """The generation that a mark tells, 0 for one that is not this fleet's."""
    number = text.partition(":")[0]
    if not (number.isascii() and number.isdecimal() and len(number) <= 15):
        return 0
    return int(number) if hmac.compare_digest(_mark(fleet, int(number)), text) else 0


def _mark(fleet: Fleet, generation: int) -> str:
    said = f"controller {generation} of {fleet.id}"
    key = fleet.ssh_key.read_bytes()
    return f"{generation}:{hmac.new(key, said.encode(), hashlib.sha256).hexdigest()}"
