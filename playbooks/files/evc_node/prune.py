"""Housekeeping on a builder: what no current or previous build is made of goes."""

import contextlib
import shutil
import time

import context
import home
from journal import Journal

KEPT = 2  # builds of each model and platform: the current one and the one before
DAY_SECONDS = 86400.0


def builds():
    """Remove older builds' journals, and parts that neither they nor anyone today asked for."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        needed = _parts_of(_kept())
        for part in context.parts().iterdir():
            # Another build's parts may just have come, its order being on its way.
            if part.name not in needed and time.time() - part.stat().st_mtime > DAY_SECONDS:
                part.unlink()


def _kept():
    """The orders of the builds that stay; the others are removed."""
    found, kept = {}, []
    places = (home.HOME / "builds").glob("*/journal")
    for path in sorted(places, key=lambda one: one.stat().st_mtime, reverse=True):
        order = Journal(path.parent).steps()["begin"]["order"]
        mine = found.setdefault((order["labels"]["evc.image"], order["platform"]), [])
        if len(mine) < KEPT or Journal(path.parent).try_lock() is None:
            mine.append(order)
            kept.append(order)
        else:
            shutil.rmtree(str(path.parent), ignore_errors=True)
    return kept


def _parts_of(orders):
    return {part for order in orders for part in order["parts"]}
