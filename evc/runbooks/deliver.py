"""Give nodes the files of their settings."""

from __future__ import annotations

import json
from collections.abc import Mapping

from evc.doors.fleet import Fleet
from evc.pure.inventory import Node
from evc.pure.plan import Wish
from evc.runbooks import ask


def files(fleet: Fleet, nodes: Mapping[str, Node], wishes: Mapping[str, Wish]) -> dict[str, str]:
    """Send each node the files of its wish; node → what went wrong, for those that lack them."""
    texts = {name: _text(one) for name, one in wishes.items()}
    problems = ask.each(fleet, nodes, "settings", texts, str)[1]
    return {
        name: f"its settings did not get there: {one.message}" for name, one in problems.items()
    }


def _text(wish: Wish) -> str:
    (volume,) = [one.name for one in wish.volumes if one.kind == "settings"]
    content = {name: value.reveal() for name, value in wish.files.items()}
    return json.dumps({"model": wish.model, "volume": volume, "files": content})
