"""The pages' server: Datasette over the fleet's database, read only. The only user of Datasette.

Datasette's SQLite is not apsw's: this runs in a process that has nothing else open on the file.
`datasette-dashboards` (0.8.0) is not used: it puts values into the page as markup, so that a node's
title could run a script there; its map asks a tile server; an empty table stops it.
"""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from datasette import hookimpl
from datasette.app import Datasette
from datasette.plugins import pm
from datasette.utils import sqlite_timelimit
from datasette.utils.asgi import Request, Response

from evc.doors.pages.guard import Guard
from evc.pure.errors import EvcError

Ask = Callable[[str, dict[str, Any]], Sequence[Mapping[str, Any]]]
Query = Mapping[str, Sequence[str]]
Page = Callable[[Ask, str, str, Query], str]
PANEL_MS, SQL_MS, BUSY_MS = 30_000, 5_000, 10_000
SCRIPT = Path(__file__).with_name("pages.js")
# What nobody needs to see who looks at pictures: settings (secrets are encrypted there as well).
HIDDEN = {("setting", "value"), ("node", "sudo_file"), ("node", "login_key")}


@dataclass(frozen=True)
class Served:
    """What is served: `page` makes the HTML of a (dashboard, panel or '') for a query."""

    database: Path
    page: Page
    home: str
    style: str
    hosts: frozenset[str]
    password: str = ""
    certificate: Path | None = None
    key: Path | None = None

    def __repr__(self) -> str:
        return f"Served({str(self.database)!r})"


def serve(served: Served, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Answer requests on `listener` until told to stop; `ready` is called when it will be."""
    pm.register(_Plugin(served), "evc")
    limits = {"sql_time_limit_ms": SQL_MS, "num_sql_threads": 4, "allow_download": False,
              "allow_csv_stream": True}  # fmt: skip
    datasette = Datasette([str(served.database)], settings=limits)
    app = Guard(datasette.app(), served.database, served.hosts, served.password)
    config = uvicorn.Config(
        app,
        log_level="warning",
        server_header=False,
        ssl_certfile=served.certificate,
        ssl_keyfile=served.key,
    )
    ready()
    uvicorn.Server(config).run(sockets=[listener])


class _Plugin:
    """EVC's pages beside Datasette's own."""

    def __init__(self, served: Served) -> None:
        self.__name__ = "evc"  # Datasette wants modules
        self._served = served
        self._name = served.database.stem

    @hookimpl  # type: ignore[untyped-decorator]
    def register_routes(self) -> list[tuple[str, Callable[..., Any]]]:
        return [
            (r"^/$", self._home),
            (r"^/-/dashboards$", self._home),
            (r"^/-/dashboards/pages\.css$", self._style),
            (r"^/-/dashboards/pages\.js$", _script),
            (r"^/-/dashboards/(?P<dashboard>[a-z]+)$", self._page),
            (r"^/-/dashboards/(?P<dashboard>[a-z]+)/(?P<panel>[a-z-]+)$", self._page),
        ]

    @hookimpl  # type: ignore[untyped-decorator]
    def prepare_connection(self, conn: sqlite3.Connection, database: str) -> None:
        if database != self._name:
            return
        conn.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        conn.execute("PRAGMA trusted_schema = OFF")
        conn.execute("PRAGMA query_only = ON")
        conn.set_authorizer(_authorize)

    async def _home(self) -> Response:
        return Response.redirect(self._served.home)

    async def _style(self) -> Response:
        return Response(self._served.style, content_type="text/css; charset=utf-8")

    async def _page(self, request: Request, datasette: Datasette) -> Response:
        dashboard = request.url_vars["dashboard"]
        panel = request.url_vars.get("panel") or ""
        query = {key: request.args.getlist(key) for key in request.args}

        def made(connection: sqlite3.Connection) -> Response:
            return self._made(connection, dashboard, panel, query)

        found: Response = await datasette.get_database(self._name).execute_fn(made)
        return found

    def _made(
        self, connection: sqlite3.Connection, dashboard: str, panel: str, query: Query
    ) -> Response:
        def ask(sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
            return [dict(row) for row in connection.execute(sql, values)]

        try:
            with sqlite_timelimit(connection, PANEL_MS):
                return Response.html(self._served.page(ask, dashboard, panel, query))
        except EvcError as error:
            return Response.text(str(error), status=400)
        except sqlite3.Error as error:
            said = f"the database does not answer ({error}): a shorter range? a newer EVC?"
            return Response.text(said, status=503)


async def _script() -> Response:
    text = SCRIPT.read_text(encoding="utf-8")
    return Response(text, content_type="text/javascript; charset=utf-8")


def _authorize(action: int, table: str | None, column: str | None, *_: object) -> int:
    """NULL for what is hidden; everything else as `query_only` has it."""
    read = action == sqlite3.SQLITE_READ
    hidden = read and (table, column) in HIDDEN
    return sqlite3.SQLITE_IGNORE if hidden else sqlite3.SQLITE_OK
