"""What is worth waking somebody for: settings, what was seen of nodes, and what follows from it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from evc.pure.names import Address, GroupName, Port, SafeText
from evc.pure.schema import Strict

Seconds = Annotated[float, Field(ge=0, le=7 * 86400)]
Figure = Literal["cpu", "memory", "disk", "temperature", "load", "swap"]
ALONE = 2  # nodes that are down together, when all are, are one alert: the controller's own link
SETTLED = 20.0  # seconds after which a connection has brought what there is
_URL = re.compile(r"https?://[^\s/@]+(/\S*)?")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


def _url(value: str) -> str:
    if not _URL.fullmatch(value):
        raise ValueError(f"{value[:80]!r} is not http(s)://HOST/…")
    return value


def _hours(value: str) -> str:
    if not _HOURS.fullmatch(value):
        raise ValueError(f"{value[:80]!r} is not HH:MM-HH:MM")
    return value


Url = Annotated[str, AfterValidator(_url)]


class Threshold(Strict):
    """A figure that is above, or below, a value for some time without a break."""

    figure: Figure
    above: float | None = None
    below: float | None = None
    seconds: Seconds = 300

    @model_validator(mode="after")
    def _one_side(self) -> Threshold:
        if (self.above is None) == (self.below is None):
            raise ValueError("give `above` or `below`")
        return self

    def holds(self, low: float, high: float) -> bool:
        """Whether it holds for all values from `low` to `high`."""
        return low > self.above if self.above is not None else high < (self.below or 0.0)

    def __str__(self) -> str:
        side = f"above {self.above:g}" if self.above is not None else f"below {self.below:g}"
        return f"{self.figure} {side}"


class Email(Strict):
    """Where mail goes, by a server that takes it without a login."""

    to: SafeText
    sender: SafeText
    server: Address = "localhost"
    port: Port = 25


DEFAULT_THRESHOLDS = [
    Threshold(figure="disk", above=90.0, seconds=60),
    Threshold(figure="temperature", above=80.0),
]


class AlertSettings(Strict):
    """`alerts:` of ServerConfig.yaml; `down_after` may be another for the nodes of a group."""

    down_after: Seconds = 300
    groups: dict[GroupName, Seconds] = {}
    silent_after: Seconds = 300
    unhealthy_after: Seconds = 120
    no_frame_after: Seconds = 120
    no_prediction_after: Seconds | None = None
    hours: Annotated[str, AfterValidator(_hours)] = "00:00-23:59"
    thresholds: list[Threshold] = DEFAULT_THRESHOLDS
    webhook: Url | None = None
    command: list[SafeText] = []
    email: Email | None = None
    ping: Url | None = None

    def tolerance(self, groups: Iterable[str]) -> float:
        """For how many seconds a node of these groups may be down."""
        own = [self.groups[group] for group in groups if group in self.groups]
        return max(own, default=self.down_after)

    def open_at(self, now: float) -> bool:
        """Whether that is within the opening hours, by this machine's clock."""
        begin, _, end = self.hours.partition("-")
        clock = datetime.fromtimestamp(now).strftime("%H:%M")
        return begin <= clock <= end if begin <= end else clock >= begin or clock <= end


@dataclass(frozen=True)
class Seen:
    """What is known of a node: reachable since when, how old its newest sample is, what holds."""

    name: str
    groups: tuple[str, ...]
    up: bool
    since: float
    reason: str
    sample_age: float | None
    exceeded: Sequence[Threshold] = ()
    unhealthy: Sequence[str] = ()
    stopped: Sequence[str] = ()
    quiet: Sequence[str] = ()
    blind: Sequence[str] = ()
    engine: str = ""  # why Docker does not answer
    local: bool = False


Alerts = dict[tuple[str, str], str]


def firing(
    settings: AlertSettings, seen: Sequence[Seen], now: float, standing: Alerts | None = None
) -> Alerts:
    """(node, kind) → what is wrong; node '' is the controller itself.

    What stood of a node that cannot be reached now stands on: nobody knows that it is over.
    """
    down = {one.name for one in seen if not one.up}
    found = {key: text for key, text in (standing or {}).items() if key[0] in down}
    found |= _unreachable(settings, [one for one in seen if not one.local], now)
    for one in seen:
        if one.up:
            found |= _of_a_node(settings, one, now)
    return found


def _unreachable(settings: AlertSettings, seen: Sequence[Seen], now: float) -> Alerts:
    """Of nodes beyond a link: each that is down, or when all are, the link.

    When the first is back after all were down, the others have their time anew.
    """
    down = [one for one in seen if not one.up]
    back = min((one.since for one in seen if one.up), default=0.0)
    late = [one for one in down if now - max(one.since, back) >= settings.tolerance(one.groups)]
    if late and len(down) == len(seen) >= ALONE:
        text = f"none of {len(seen)} nodes can be reached: is it this machine's link?"
        return {("", "link"): text}
    return {(one.name, "down"): f"cannot be reached: {one.reason}" for one in late}


def _of_a_node(settings: AlertSettings, one: Seen, now: float) -> Alerts:
    found: Alerts = {(one.name, str(what)): f"{what}" for what in one.exceeded}
    age = now - one.since if one.sample_age is None else one.sample_age
    if age >= settings.silent_after and now - one.since >= SETTLED:
        found[one.name, "silent"] = f"connected, but no sample for {age / 60:.0f} min"
    if one.engine:
        found[one.name, "engine"] = f"Docker does not answer: {one.engine}"
    for model in one.stopped:
        found[one.name, f"stopped {model}"] = f"{model} should run, and does not"
    for model in one.unhealthy:
        found[one.name, f"unhealthy {model}"] = f"{model} is unhealthy, or restarts again and again"
    for model in one.blind:
        found[one.name, f"blind {model}"] = f"{model} runs, and gets no new frame from its camera"
    if settings.open_at(now):
        for model in one.quiet:
            found[one.name, f"quiet {model}"] = f"{model} runs, and predicts nothing"
    return found


def message(
    fired: Alerts, resolved: Mapping[tuple[str, str], str], titles: Mapping[str, str]
) -> str:
    """One message of all that is new, and of all that is over; nodes by name and title."""

    def who(node: str) -> str:
        return f"{node} ({titles[node]})" if titles.get(node) else node or "controller"

    lines = [f"{who(node)}: {text}" for (node, _), text in sorted(fired.items())]
    lines += [f"{who(node)}: resolved: {text}" for (node, _), text in sorted(resolved.items())]
    return "\n".join(lines)
