"""Places that have an address and no coordinates get some: each address is asked for once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from evc.doors import geocoder
from evc.doors.geocoder import Point
from evc.doors.store import Store
from evc.pure.places import Geocoding

AGAIN_SECONDS = 30 * 86400.0  # before an address that nobody knew is asked for again
_LACKING = """
SELECT DISTINCT place.address FROM place LEFT JOIN geocode ON geocode.address = place.address
WHERE place.latitude IS NULL AND place.address <> ''
  AND (geocode.address IS NULL OR geocode.latitude IS NOT NULL OR geocode.time < ?)
"""
_KEEP = """
INSERT INTO geocode VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
  latitude = excluded.latitude, longitude = excluded.longitude, source = excluded.source,
  time = excluded.time
"""
_PLACE = "UPDATE place SET latitude = ?, longitude = ? WHERE address = ? AND latitude IS NULL"


@dataclass(frozen=True)
class Sources:
    """Who is asked, in this order; `online` raises EvcError."""

    city: Callable[[str], Point | None] = geocoder.city
    online: Callable[[str, str], Point | None] = geocoder.online


def locate(
    store: Store,
    settings: Geocoding,
    now: float,
    wait: Callable[[], bool],
    sources: Sources = Sources(),
) -> int:
    """Look all up that lack coordinates; how many were found. Raises EvcError.

    `wait` takes more than a second before each request but the first, and says when to stop.
    """
    found, asked = 0, False
    for row in store.rows(_LACKING, (now - AGAIN_SECONDS,)):
        address, point, source = row["address"], _known(store, row["address"]), "kept"
        if point is None:
            point, source = sources.city(address), "cities"
        if point is None and settings.online:
            if asked and wait():
                break
            asked, source = True, "nominatim"
            point = sources.online(address, settings.server)
        if source != "kept" and (point or settings.online):
            known = point or (None, None)
            store.write_all(_KEEP, [(address, *known, source if point else "", now)])
        if point:
            store.write_all(_PLACE, [(*point, address)])
            found += 1
    geocoder.forget_cities()
    return found


def _known(store: Store, address: str) -> Point | None:
    row = store.row("SELECT latitude, longitude FROM geocode WHERE address = ?", (address,))
    return (row["latitude"], row["longitude"]) if row and row["latitude"] is not None else None
