"""Coordinates of addresses: what is known is not asked for, and nobody is asked twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from evc.doors import geocoder, store
from evc.doors.store import Store
from evc.pure.errors import EvcError
from evc.pure.places import Geocoding
from evc.runbooks.logger.places import AGAIN_SECONDS, Sources, locate

MIGRATIONS = Path(__file__).parents[3] / "db"
NOW = 1.8e9
CITIES = {"Busan": (35.1, 129.0)}


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Store]:
    with store.opened(tmp_path / "e.db3", MIGRATIONS) as found:
        places = [("서울시청", None), ("서울시청", None), ("Busan", None), ("", None), ("x", 1.0)]
        for number, (address, latitude) in enumerate(places, 1):
            found.write(
                "INSERT INTO node (id, name, address, port, added_at) VALUES (?, ?, '192.0.2.1',"
                " ?, 0)", (number, f"cam{number}", number))  # fmt: skip
            values = (number, address, latitude, latitude)
            found.write("INSERT INTO place VALUES (?, ?, ?, ?)", values)
        yield found


class Nominatim(BaseHTTPRequestHandler):
    asked: list[tuple[str, str]] = []  # noqa: RUF012

    def do_GET(self) -> None:
        words = parse_qs(urlsplit(self.path).query)
        self.asked.append((words["q"][0], self.headers["User-Agent"]))
        answer = b'[{"lat": "37.5", "lon": "127.0", "display_name": "x"}]'
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer if words["q"] == ["서울시청"] else b"[]")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Nominatim.asked.clear()
    made = HTTPServer(("127.0.0.1", 0), Nominatim)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.shutdown()


def test_each_address_is_asked_for_once_and_cities_never(opened: Store, server: str) -> None:
    opened.write("UPDATE place SET address = 'nowhere' WHERE node_id = 4")
    settings, sources, waits = Geocoding(server=server), Sources(city=CITIES.get), list[int]()

    def wait() -> bool:
        waits.append(1)
        return False

    assert locate(opened, settings, NOW, wait, sources) == 2
    rows = opened.rows("SELECT latitude, longitude FROM place ORDER BY node_id")
    assert [tuple(row.values()) for row in rows] == [
        (37.5, 127.0), (37.5, 127.0), (35.1, 129.0), (None, None), (1.0, 1.0)]  # fmt: skip
    assert sorted(one for one, _ in Nominatim.asked) == ["nowhere", "서울시청"]
    assert len(waits) == 1 and all("evc/" in agent for _, agent in Nominatim.asked)
    opened.write("UPDATE place SET latitude = NULL WHERE node_id = 1")
    assert locate(opened, settings, NOW + 60, wait, sources) == 1  # kept
    assert len(Nominatim.asked) == 2
    locate(opened, settings, NOW + AGAIN_SECONDS + 1, wait, sources)
    assert [one for one, _ in Nominatim.asked[2:]] == ["nowhere"]


def test_nobody_is_asked_who_must_not_be(opened: Store) -> None:
    def online(address: str, server: str) -> None:
        raise AssertionError(address)

    sources = Sources(CITIES.get, online)
    assert locate(opened, Geocoding(online=False), NOW, lambda: False, sources) == 1
    opened.write("DELETE FROM place WHERE address = '서울시청'")  # left: coordinates, or no address
    assert locate(opened, Geocoding(), NOW, lambda: False, sources) == 0


def test_a_server_that_is_not_there_is_said(opened: Store) -> None:
    with pytest.raises(EvcError, match="does not say where"):
        locate(opened, Geocoding(server="http://127.0.0.1:1"), NOW, lambda: False)
    assert opened.rows("SELECT * FROM geocode") == []
    assert geocoder.city("no such city") is None
