"""The pages of a fleet folder, served by the real command, and a browser to look at them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from evc.doors import store
from evc.doors.fleet import Fleet, share
from evc.runbooks.init import init
from tests import planted

CHROMIUM = "/usr/bin/chromium"
WINDOW = 9000  # pixels high


def serving(fleet: Fleet, *words: str) -> list[str]:
    return [sys.executable, "-m", "evc", "-C", str(fleet.root), "dashboard", "serve", *words]


@contextlib.contextmanager
def served(fleet: Fleet, *words: str) -> Iterator[str]:
    """The address without its last slash."""
    command = serving(fleet, "--port", "0", *words)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            first = process.stderr.readline()
            assert "The dashboards: " in first, first + process.stderr.read()
            yield first.split()[-1].rstrip("/")
        finally:
            process.terminate()


@dataclass
class Browser:
    """A page of a headless Chromium, what it asked for, and what went wrong in it."""

    page: Page
    asked: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def look(self, url: str) -> None:
        """Open a dashboard, and wait until all of it is drawn."""
        self.page.goto(url)
        self.page.wait_for_selector("body:not(:has([data-source]:not([data-drawn])))")

    def texts(self, panel: str) -> list[str]:
        """What a picture says: its numbers, its cells, and what its parts say when pointed at."""
        parts = "td, p.number, p.nothing, p.problem, svg title"
        found: list[str] = self.page.eval_on_selector(
            f"[data-panel={panel}]",
            f"one => [...one.querySelectorAll('{parts}')].map(part => part.textContent)",
        )
        return found

    def column(self, panel: str, name: str) -> list[str]:
        """What a table's column says."""
        found: list[str] = self.page.eval_on_selector(
            f"[data-panel={panel}]",
            """(one, name) => {
              const heads = [...one.querySelectorAll("th")].map((head) => head.textContent);
              const place = heads.indexOf(name), rows = [...one.querySelectorAll("tr")];
              return rows.map((row) => row.querySelectorAll("td")[place]?.textContent ?? "");
            }""",
            name.replace("_", " "),
        )
        return found


@contextlib.contextmanager
def browsing() -> Iterator[Browser]:
    """A window so high that every picture is in sight: each is drawn at once."""
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=root)
        made = Browser(chromium.new_page(viewport={"width": 1400, "height": WINDOW}))
        made.page.on("request", lambda request: made.asked.append(request.url))
        made.page.on("console", lambda said: _note(made, said.type, said.text))
        made.page.on("pageerror", lambda error: made.wrong.append(str(error)))
        made.page.on("dialog", lambda dialog: made.wrong.append(f"dialog: {dialog.message}"))
        yield made
        chromium.close()


def _note(browser: Browser, kind: str, text: str) -> None:
    """But for what Chromium drops while other tests make networks; the page asks again."""
    if kind in ("error", "warning") and "ERR_NETWORK_CHANGED" not in text:
        browser.wrong.append(text)


def planted_fleet(folder: Path, shared: str = "") -> Fleet:
    fleet = init(folder, shared)
    with store.opened(fleet.database, share() / "db") as opened:
        planted.plant(opened)
    return fleet
