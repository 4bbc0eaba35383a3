"""The pages' server: who is let in, what cannot be done, and when it refuses to serve."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from evc.doors import store
from evc.doors.fleet import Fleet, share
from evc.pure.errors import Locked
from evc.pure.panels import DASHBOARDS
from evc.runbooks import pages
from evc.runbooks.init import init
from tests.pages import planted_fleet, served, serving


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    return planted_fleet(tmp_path_factory.mktemp("pages") / "fleet")


@pytest.fixture(scope="module")
def address(fleet: Fleet) -> Iterator[str]:
    with served(fleet) as url:
        yield url


def get(url: str, ca: Path | None = None, **heads: str) -> tuple[int, str]:
    request = urllib.request.Request(url, headers=heads)
    trust = ssl.create_default_context(cafile=str(ca)) if ca else None
    try:
        with urllib.request.urlopen(request, timeout=20, context=trust) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def asked(address: str, sql: str) -> list[dict[str, object]]:
    status, text = get(f"{address}/edge_logs.json?_shape=objects&sql={quote(sql)}")
    assert status == 200, text
    found: list[dict[str, object]] = json.loads(text)["rows"]
    return found


def refused(fleet: Fleet, *words: str) -> tuple[int, str]:
    done = subprocess.run(serving(fleet, *words), capture_output=True, text=True, timeout=60,
                          check=False)  # fmt: skip
    return done.returncode, done.stderr


def test_sql_can_be_asked_but_nothing_written_and_no_secret_read(
    address: str, fleet: Fleet
) -> None:
    with store.opened(fleet.database, share() / "db") as opened:
        opened.write("INSERT INTO setting (level, key, kind, value, changed_at)"
                     " VALUES ('fleet', 'TOKEN', 'secret', 'sealed', 0)")  # fmt: skip
        opened.write("UPDATE node SET sudo_file = '/root/sudo', login_key = '/root/key'")
    assert asked(address, "SELECT count(*) AS n FROM node") == [{"n": 3}]
    assert asked(address, "SELECT key, value FROM setting") == [{"key": "TOKEN", "value": None}]
    for hidden in ("sudo_file", "login_key"):
        assert {row[hidden] for row in asked(address, "SELECT * FROM node")} == {None}
        assert asked(address, f"SELECT count({hidden}) AS n FROM node") == [{"n": 0}]
    assert get(f"{address}/edge_logs.json?sql={quote('DELETE FROM node')}")[0] == 400


def test_a_website_that_points_its_name_at_this_machine_sees_nothing(address: str) -> None:
    assert get(f"{address}/", Host="evil.example")[0] == 421
    assert get(f"{address}/edge_logs.json", Host="evil.example:8321")[0] == 421
    assert get(f"{address}/", Host="[")[0] == 421


def test_every_address_of_this_machine_alone_is_answered(tmp_path: Path) -> None:
    with served(planted_fleet(tmp_path / "fleet"), "--listen", "127.0.0.2") as url:
        assert get(f"{url}/-/dashboards/fleet")[0] == 200


@pytest.mark.parametrize(
    "path", ["-/dashboards/fleet", "-/dashboards/fleet/fleet-map", "edge_logs"]
)
def test_no_page_may_ask_elsewhere_or_be_framed(address: str, path: str) -> None:
    with urllib.request.urlopen(f"{address}/{path}", timeout=20) as answer:
        heads = answer.headers
    rules = heads["content-security-policy"].split("; ")
    assert "default-src 'self'" in rules
    inline = "" if path.startswith("-/") else " 'unsafe-inline'"  # Datasette's own pages
    assert f"script-src 'self'{inline}" in rules
    assert heads["x-content-type-options"] == "nosniff" and heads["x-frame-options"] == "DENY"


def test_pages_answer_while_somebody_writes(address: str, fleet: Fleet) -> None:
    """Again and again, each time in a transaction that takes the whole file for a moment."""
    ended, written = threading.Event(), threading.Event()

    def write() -> None:
        with store.opened(fleet.database, share() / "db") as opened:
            while not ended.is_set():
                opened.write("UPDATE alert SET text = text")
                written.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert written.wait(20)
        for panel in DASHBOARDS[0].panels:
            status, text = get(f"{address}/-/dashboards/fleet/{panel.key}")
            assert status == 200 and "problem" not in text, text
    finally:
        ended.set()
        writer.join()


@pytest.mark.parametrize(
    "path", ["fleet?last=1e9999", "fleet?last=-5", "fleet?from=9&to=3", "nothing", "fleet/nothing"]
)
def test_a_request_for_what_there_is_not_is_refused_in_words(address: str, path: str) -> None:
    status, text = get(f"{address}/-/dashboards/{path}")
    assert status in (400, 404) and "Traceback" not in text


def test_other_machines_need_the_password_and_get_tls(tmp_path: Path) -> None:
    other = planted_fleet(tmp_path / "fleet")
    with served(other, "--listen", "0.0.0.0") as url:
        here, ca = f"https://127.0.0.1:{url.rpartition(':')[2]}/-/dashboards/fleet", other.ca
        password = pages._own_password(other).read_text()
        assert pages._own_password(other).stat().st_mode & 0o077 == 0
        assert get(here, ca)[0] == 401
        for wrong in ("Basic", "Basic !", _basic("evc", "x"), _basic("root", password)):
            assert get(here, ca, Authorization=wrong)[0] == 401
        assert get(here, ca, Authorization=_basic("evc", password))[0] == 200
        with pytest.raises(OSError):
            urllib.request.urlopen(here.replace("https", "http"), timeout=5)


def test_a_password_of_ones_own_is_taken(tmp_path: Path) -> None:
    fleet, file = planted_fleet(tmp_path / "fleet"), tmp_path / "password"
    file.write_text("correct horse\n")
    file.chmod(0o600)
    with served(fleet, "--listen", "0.0.0.0", "--password-file", str(file)) as url:
        here = f"https://127.0.0.1:{url.rpartition(':')[2]}/-/dashboards/fleet"
        assert get(here, fleet.ca, Authorization=_basic("evc", "correct horse"))[0] == 200
        assert get(here, fleet.ca, Authorization=_basic("evc", "correct horse\n"))[0] == 401
    assert not pages._own_password(fleet).exists()


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_a_password_that_others_may_read_is_refused(tmp_path: Path) -> None:
    fleet, file = planted_fleet(tmp_path / "fleet"), tmp_path / "password"
    file.write_text("correct horse")
    file.chmod(0o644)
    code, said = refused(fleet, "--listen", "0.0.0.0", "--port", "0", "--password-file", str(file))
    assert code == 2 and "chmod 600" in said


def test_a_port_in_use_is_refused_with_the_remedy(tmp_path: Path) -> None:
    fleet = planted_fleet(tmp_path / "fleet")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = refused(fleet, "--port", str(port))
    assert code == 1 and f"port {port} of 127.0.0.1 is in use" in said and "--port N" in said


def test_what_a_killed_server_left_is_believed_by_nobody(tmp_path: Path) -> None:
    """Its process number may be anybody's by now, and `stop` ends whom it names."""
    fleet = planted_fleet(tmp_path / "fleet")
    url = pages.detach(fleet, pages.Where(port=0))
    os.kill(json.loads(pages._state(fleet).read_text())["pid"], signal.SIGKILL)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, _ = refused(fleet, "--port", str(taken.getsockname()[1]))
    assert code == 1 and url and not pages._state(fleet).exists()


@pytest.mark.parametrize(
    ("fault", "said"), [("nothing", "nothing is recorded yet"), ("newer", "a newer EVC")]
)
def test_a_database_that_cannot_be_shown_is_refused(tmp_path: Path, fault: str, said: str) -> None:
    fleet = init(tmp_path / "fleet")
    if fault == "newer":
        with store.opened(fleet.database, share() / "db") as opened:
            opened.write("PRAGMA user_version = 999")
    code, text = refused(fleet, "--port", "0")
    assert code == 1 and said in text and "→" in text


def test_one_server_a_fleet_in_the_background_until_told_to_stop(tmp_path: Path) -> None:
    fleet = planted_fleet(tmp_path / "fleet")
    url = pages.detach(fleet, pages.Where(port=0))
    try:
        assert get(f"{url}-/dashboards/fleet")[0] == 200
        assert pages.detach(fleet, pages.Where(port=0)) == url
        for elsewhere in (pages.Where("127.0.0.2", 0), pages.Where(port=9)):
            with pytest.raises(Locked, match=f"served at {url} already"):
                pages.detach(fleet, elsewhere)
        code, said = refused(fleet, "--port", "0")
        assert code == 4 and "dashboard serve" in said
    finally:
        assert pages.stop(fleet)
    assert not pages.stop(fleet) and pages.running(fleet) is None


def test_a_database_that_is_replaced_is_shown_no_more(tmp_path: Path) -> None:
    fleet = planted_fleet(tmp_path / "fleet")
    with served(fleet) as url:
        assert get(f"{url}/-/dashboards/fleet")[0] == 200
        fleet.database.rename(fleet.database.with_suffix(".old"))
        status, text = get(f"{url}/-/dashboards/fleet/fleet-map")
        assert status == 503 and "restored" in text and "→" in text
