"""Each dashboard in a real browser: every panel shows what was planted, on its node alone."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from evc.doors import store
from evc.doors.fleet import share
from evc.pure.inventory import Node, Place
from evc.pure.panels import DASHBOARDS, Dashboard, Panel
from evc.pure.pictures.words import moment, shown
from evc.runbooks import nodes as inventory
from evc.runbooks.init import init
from tests import planted
from tests.pages import Browser, browsing, planted_fleet, served

NEW_YEAR = f"from={planted.NOW - planted.HOUR}&to={planted.NOW}"
HOSTILE = ["'; DROP TABLE node; --", "<script>alert(1)</script>", "부산 1호점 입구", "가" * 200,
           '"><img src=x onerror=alert(1)>', "</title><svg onload=alert(1)>"]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as found:
        yield found


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(planted_fleet(tmp_path_factory.mktemp("pages") / "fleet")) as url:
        yield url


def said(panel: Panel) -> str:
    """What a picture must say of the planted value."""
    column, value = planted.value(panel.key, planted.HOUR)
    if panel.kind == "map":
        return "node: alpha"
    if panel.kind == "timeline":
        return moment(value)
    if panel.kind == "number" and panel.states:
        return panel.states[value].text
    return shown(value, panel.columns.get(column, "") if panel.kind == "table" else panel.unit)


def shows(browser: Browser, panel: Panel) -> list[str]:
    """What it says where the planted value belongs."""
    if panel.kind == "table":
        return browser.column(panel.key, planted.EXPECTED[panel.key][0])
    return browser.texts(panel.key)


def query(panel: Panel, dashboard: Dashboard, alpha: bool) -> str:
    """What is chosen for a panel; all that there is needs not be said."""
    chosen, all_chosen = planted.chosen(panel.key, alpha), planted.chosen("", True)
    names = [one.name for one in dashboard.variables]
    some = {name: chosen[name] for name in names
            if name == "node" or chosen[name] != all_chosen[name]}  # fmt: skip
    return urlencode(some, doseq=True)


@pytest.mark.parametrize("alpha", [True, False], ids=["chosen", "another"])
@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda one: one.key)
def test_what_was_planted_is_drawn_and_only_where_its_node_is_chosen(
    browser: Browser, address: str, dashboard: Dashboard, alpha: bool
) -> None:
    pages: dict[str, list[Panel]] = {}
    for panel in dashboard.panels:
        pages.setdefault(query(panel, dashboard, alpha), []).append(panel)
    for some, panels in pages.items():
        browser.look(f"{address}/-/dashboards/{dashboard.key}?{NEW_YEAR}&{some}")
        for panel in panels:
            texts = shows(browser, panel)
            within = panel.kind in ("map", "timeline")
            found = any(said(panel) in text if within else said(panel) == text for text in texts)
            assert found is planted.there(panel.key, alpha), (panel.key, said(panel), texts[:20])
    assert browser.wrong == []


def test_every_node_is_on_the_map_by_its_title(browser: Browser, address: str) -> None:
    browser.look(f"{address}/-/dashboards/fleet?{NEW_YEAR}")
    nodes = browser.page.locator("[data-panel=fleet-map] g.node")
    assert sorted(nodes.evaluate_all("all => all.map(one => one.dataset.node)")) == [
        "alpha", "beta"]  # fmt: skip
    assert planted.TITLE in nodes.all_text_contents()[0]
    assert browser.page.locator("[data-panel=fleet-map] path.land").get_attribute("d")


def test_what_the_server_says_instead_of_a_picture_is_text(browser: Browser, address: str) -> None:
    said = "no number: <img src=x onerror=alert(1)>"
    refused = {"status": 400, "body": said, "content_type": "text/plain"}
    browser.page.route("**/fleet-map*", lambda route: route.fulfill(**refused))
    browser.look(f"{address}/-/dashboards/fleet?{NEW_YEAR}")
    browser.page.unroute("**/fleet-map*")
    assert browser.texts("fleet-map") == [said]
    assert browser.page.locator("[data-panel=fleet-map] img").count() == 0
    (noted,) = browser.wrong
    assert "400" in noted  # Chromium's own word on the answer
    browser.wrong.clear()


def test_a_picture_that_the_browser_dropped_is_asked_for_again(
    browser: Browser, address: str
) -> None:
    browser.page.route("**/fleet-nodes*", lambda route: route.abort(), times=3)
    browser.look(f"{address}/-/dashboards/fleet?{NEW_YEAR}")
    assert browser.texts("fleet-nodes") == ["3"]
    assert len(browser.wrong) == 3 and all("ERR_FAILED" in noted for noted in browser.wrong)
    browser.wrong.clear()


def test_an_empty_database_is_drawn(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    fleet = init(tmp_path_factory.mktemp("empty") / "fleet")
    with store.opened(fleet.database, share() / "db"):
        pass
    with served(fleet) as url:
        for dashboard in DASHBOARDS:
            browser.look(f"{url}/-/dashboards/{dashboard.key}")
            for panel in dashboard.panels:
                assert panel.kind in ("number", "map") or browser.texts(panel.key) == [
                    "nothing recorded"], panel.key  # fmt: skip
            if dashboard.key == "fleet":
                assert browser.texts("fleet-nodes") == ["0"]
                assert "evc node place" in browser.texts("fleet-map")[0]
    assert browser.wrong == []


def test_hostile_titles_are_text_on_every_page(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    fleet = init(tmp_path_factory.mktemp("hostile") / "fleet")
    with store.opened(fleet.database, share() / "db") as opened:
        inventory.save(opened, [
            Node(0, f"cam0{number}", f"192.0.2.{number}", title=title, place=Place("", 35.0, 129.0))
            for number, title in enumerate(HOSTILE)
        ])  # fmt: skip
    with served(fleet) as url:
        for dashboard in DASHBOARDS:
            browser.look(f"{url}/-/dashboards/{dashboard.key}")
            assert browser.page.locator("main script, main img").count() == 0
            if dashboard.key == "fleet":
                assert set(HOSTILE) <= {text[:300] for text in browser.texts("fleet-table")}
    assert browser.wrong == []


def test_no_request_left_the_machine(browser: Browser) -> None:
    """The last one: of all pages that this module looked at."""
    assert browser.asked
    elsewhere = ("http://127.0.0.1:", "data:")
    assert [url for url in browser.asked if not url.startswith(elsewhere)] == []
