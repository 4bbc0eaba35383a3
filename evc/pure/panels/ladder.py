"""SQL over raw rows or rollups, whichever the asked range needs: a month is read by the hour.

Each branch of a UNION names the ranges it is for; SQLite does not enter the others, since that
condition names no table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

POINTS, OF_MANY, FEW = 240, 60, 12  # of a line, about; of one of more nodes than a few
RAW_SECONDS, MINUTES_SECONDS = 2 * 3600, 2 * 86400
INTERVAL, MINUTE, HOUR = 5, 60, 3600

LENGTH = "CAST(:to - :from AS INTEGER)"
IS_RAW = f"{LENGTH} <= {RAW_SECONDS}"
IS_MINUTES = f"{LENGTH} > {RAW_SECONDS} AND {LENGTH} <= {MINUTES_SECONDS}"
IS_HOURS = f"{LENGTH} > {MINUTES_SECONDS}"
# Ids of samples begin with milliseconds.
FIRST_ID, LAST_ID = (f"(CAST({one} AS INTEGER) * 1000 << 20)" for one in (":from", ":to"))
# The moment that is shown as now: what was, when the range ends in the past.
NOW = "min(:to, unixepoch())"
NAMED = "SELECT id, name FROM logged_node WHERE name IN (:node)"
LOGGED = "SELECT id FROM logged_node WHERE name IN (:node)"


@dataclass(frozen=True)
class Figure:
    """A figure of samples: `form` makes it of a column (and a second one), `falling` upside down.

    Column names and forms are EVC's own text, never anybody's input.
    """

    column: str
    form: str = "{0}"
    other: str = ""
    falling: bool = False


CPU = Figure("idle", "100.0 - {0}", falling=True)
MEMORY = Figure("memory_used")
TEMPERATURE = Figure("temperature")
DISK = Figure("disk_used", "100.0 / (1.0 + 1.0 * {1} / nullif({0}, 0))", "disk_available")
SWAP = Figure("swap_used", "100.0 * {0} / nullif({1}, 0)", "swap_total")


def span(natives: Sequence[tuple[str, int]], points: str = f"{POINTS}") -> str:
    """`span (step)`: how many seconds a point stands for; `natives`: condition → its least step."""
    cases = " ".join(f"WHEN {condition} THEN {seconds}" for condition, seconds in natives)
    return f"""span (step) AS (
  SELECT max(native, {LENGTH} / {points} / native * native)
  FROM (SELECT CASE {cases} END AS native)
)"""


# `tick (time)`: the beginning of each point, multiples of its step.
TICKS = """tick (time) AS (
  SELECT CAST(:from / step AS INTEGER) * step FROM span
  UNION ALL SELECT time + step FROM tick, span WHERE time + step < :to
)"""
# Of many lines nobody tells so many points apart, and of many nodes they would be long in coming.
OF_LINES = f"iif((SELECT count(*) FROM member) > {FEW}, {OF_MANY}, {POINTS})"
LADDER = span([(IS_RAW, INTERVAL), (IS_MINUTES, MINUTE), (IS_HOURS, HOUR)], OF_LINES)
EVENTS_LADDER = span([(IS_RAW, MINUTE), (f"NOT {IS_RAW}", HOUR)])
EVERY = f"""{span([("true", INTERVAL)])},
{TICKS}"""


def lines(series: str, *figures: tuple[str, Figure], highest: bool = False, all_nodes: bool) -> str:
    """`time`, `series`, `value` of figures with their labels; `series` gives `node_id` and `name`.

    A series of several nodes is the mean of them. `highest`: a second line of each, the highest
    there was. `all_nodes`: samples are read in order of time, which is fast for many nodes;
    otherwise node by node.
    """
    points = [
        branch for label, figure in figures for branch in _branches(label, figure, False, all_nodes)
    ]
    if highest:
        points += [
            branch
            for label, figure in figures
            for branch in _branches(f"{label} highest".strip(), figure, True, all_nodes)
        ]
    united = "\n  UNION ALL\n".join(points)
    return f"""WITH RECURSIVE named (node_id, name) AS ({series}),
series AS (SELECT *, dense_rank() OVER (ORDER BY name) AS place FROM named),
member (node_id) AS (SELECT DISTINCT node_id FROM series),
{LADDER},
{TICKS},
point (time, node_id, label, peak, value) AS (
{united}
)
SELECT time, trim(name || ' ' || label) AS series,
  CAST(iif(peak, max(value), avg(value)) AS REAL) AS value
FROM point JOIN series USING (node_id)
GROUP BY time, place, label, peak HAVING count(value) ORDER BY time, place, label, peak"""


def _branches(label: str, figure: Figure, peak: bool, all_nodes: bool) -> list[str]:
    return [
        _raw(label, figure, peak, all_nodes),
        _rolled("minute", IS_MINUTES, label, figure, peak),
        _rolled("hour", IS_HOURS, label, figure, peak),
    ]


def _raw(label: str, figure: Figure, peak: bool, all_nodes: bool) -> str:
    # A `+` keeps SQLite from an index: row by row in another order would be slower.
    node, value = "+node_id" if all_nodes else "node_id", figure.form.format(*_columns(figure))
    return f"""  SELECT CAST(time / step AS INTEGER) * step, node_id, '{label}', {int(peak)},
    {"max" if peak else "avg"}({value}) FROM span, sample
  WHERE {IS_RAW} AND id >= {FIRST_ID} AND id < {LAST_ID}
  AND {node} IN (SELECT node_id FROM member) AND {figure.column} IS NOT NULL GROUP BY 1, 2"""


def _rolled(table: str, when: str, label: str, figure: Figure, peak: bool) -> str:
    """A lookup of each point: sorting all rows by point would take three times as long."""
    highest = "min(low)" if figure.falling else "max(high)"
    looked_up = f"""(
    SELECT {highest if peak else "sum(mean * count) / sum(count)"} FROM {table}
    WHERE figure = '{{}}' AND node_id = member.node_id
    AND time >= max(tick.time, :from) AND time < min(tick.time + step, :to))"""
    value = figure.form.format(*(looked_up.format(one) for one in _columns(figure)))
    return f"""  SELECT tick.time, member.node_id, '{label}', {int(peak)}, {value}
  FROM span, tick, member WHERE {when}"""


def _columns(figure: Figure) -> tuple[str, str]:
    return figure.column, figure.other


def picked(select: str) -> str:
    """A query over `picked (id)`: a sample of a node for each point, the first in its span.

    For what is kept in samples alone, and is too much to read all of.
    """
    return f"""WITH RECURSIVE {EVERY},
picked (id) AS (
  SELECT (SELECT id FROM sample WHERE node_id IN ({LOGGED})
    AND id >= tick.time * 1000 << 20
    AND id < (tick.time + step) * 1000 << 20 ORDER BY id LIMIT 1)
  FROM tick, span
)
{select}"""
