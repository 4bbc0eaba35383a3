"""The pages around pictures: a dashboard in the browser, and the report that is mailed."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from evc.pure.panels import DASHBOARDS, Dashboard, Panel
from evc.pure.panels.rendering import for_page
from evc.pure.pictures import words
from evc.pure.pictures.choices import LENGTHS, Choice, Range

ROOT = "/-/dashboards"
Part = tuple[str, Sequence[tuple[Panel, str]]]  # a heading, and pictures below it
EVERY_SECONDS = 10  # a range of an hour or less is drawn anew so often


def dashboard(one: Dashboard, made: Sequence[Choice], span: Range, query: str) -> str:
    """A dashboard whose pictures the page's script fetches, each by itself."""
    cards = "".join(_card(panel, _empty(one, panel, query), _sql(one, panel, made, span))
                    for panel in one.panels)  # fmt: skip
    every = max(EVERY_SECONDS, span.seconds // 240) if span.last else 0
    inside = f'{_menu(one)}{_form(one, made, span)}<main data-every="{every}">{cards}</main>'
    links = (
        f'<link rel="stylesheet" href="{ROOT}/pages.css"><link rel="icon" href="data:,">'
        f'<script src="{ROOT}/pages.js" defer></script>'
    )
    return _html(f"EVC {one.title}", links, inside)


def report(parts: Sequence[Part], span: Range, title: str, style: str, left_out: str) -> str:
    """One file with all pictures in it; `left_out` is what it says that it has not."""
    range_said = f"{words.moment(span.since)} – {words.moment(span.until)}"
    inside = f'<header><h1>{words.text(title)}</h1><p class="range">{range_said}</p></header>'
    inside += f'<p class="left-out">{words.text(left_out)}</p>' if left_out else ""
    for heading, drawn in parts:
        cards = "".join(_card(panel, picture, "") for panel, picture in drawn)
        inside += f"<h2>{words.text(heading)}</h2><main>{cards}</main>"
    return _html(title, f"<style>{style}</style>", inside)


def problem(message: str, remedy: str) -> str:
    """What is said instead of a picture."""
    said = f"{words.text(message)}<br>→ {words.text(remedy)}" if remedy else words.text(message)
    return f'<p class="problem">{said}</p>'


def _html(title: str, head: str, inside: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{words.text(title)}</title>{head}</head><body>{inside}</body></html>"
    )


def _menu(shown: Dashboard) -> str:
    links = "".join(
        f'<a href="{ROOT}/{one.key}"{" class=here" if one is shown else ""}>{one.title}</a>'
        for one in DASHBOARDS
    )
    return (
        f'<header><b class="brand">EVC</b><nav>{links}</nav><a href="/edge_logs">SQL</a></header>'
    )


def _form(one: Dashboard, made: Sequence[Choice], span: Range) -> str:
    choices = "".join(_choice(choice) for choice in made)
    said = f"{words.moment(span.since)} – {words.moment(span.until)}"
    return (
        f'<form method="get" action="{ROOT}/{one.key}">{_lengths(span)}{choices}'
        f'<button>Show</button><span class="range">{said}</span></form>'
    )


def _lengths(span: Range) -> str:
    known = (
        dict(LENGTHS) if span.last and span.seconds in LENGTHS else {span.seconds: "…", **LENGTHS}
    )
    options = "".join(
        f'<option value="{seconds}"{" selected" if seconds == span.seconds else ""}>{text}</option>'
        for seconds, text in known.items()
    )
    return f'<label>Last <select name="last">{options}</select></label>'


def _choice(choice: Choice) -> str:
    """Boxes to tick where several can be chosen, none for all; else a list."""
    name, title = choice.variable.name, words.text(choice.variable.title)
    if not choice.variable.many:
        options = "".join(
            f'<option value="{words.text(value)}"{" selected" if value in choice.chosen else ""}>'
            f"{words.text(said)}</option>"
            for value, said in choice.offered.items()
        )
        return f'<label>{title} <select name="{name}">{options}</select></label>'
    boxes = "".join(
        f'<label><input type="checkbox" name="{name}" value="{words.text(value)}"'
        f"{' checked' if choice.some and value in choice.chosen else ''}> {words.text(one)}</label>"
        for value, one in choice.offered.items()
    )
    said = ", ".join(choice.chosen[:3]) + (" …" if len(choice.chosen) > 3 else "")
    summary = words.text(said if choice.some else "all")
    return f"<details><summary>{title}: {summary}</summary><div>{boxes}</div></details>"


def _card(panel: Panel, inside: str, sql: str) -> str:
    link = f'<a class="sql" href="{words.text(sql)}">SQL</a>' if sql else ""
    size = f"--wide:{panel.width};--high:{panel.height}"
    return (
        f'<section data-panel="{panel.key}" class="{panel.kind}" style="{size}">'
        f"<h3>{words.text(panel.title)}{link}</h3>{inside}</section>"
    )


def _empty(one: Dashboard, panel: Panel, query: str) -> str:
    source = words.text(f"{ROOT}/{one.key}/{panel.key}?{query}")
    return f'<div class="picture" data-source="{source}"></div>'


def _sql(one: Dashboard, panel: Panel, made: Sequence[Choice], span: Range) -> str:
    """Where Datasette shows the question behind a picture, to be changed and asked again."""
    values = {choice.variable.name: choice.chosen[0] if len(choice.chosen) == 1 else ""
              for choice in made}  # fmt: skip
    bounds = {"from": int(span.since), "to": int(span.until)}
    return f"/edge_logs?{urlencode({'sql': for_page(panel.sql, one), **bounds, **values})}"
