"""When a sample was taken, by the controller's clock: a node's own may be wrong.

Of the boot that a node is in, the seconds since boot say it. Of an earlier boot there is only what
the node's clock said then; where that cannot be, the sample's number says roughly how long ago.
"""

from __future__ import annotations

from dataclasses import dataclass

from evc.pure.samples import Hello, Sample

INTERVAL = 5.0
EARLIEST = 1_577_836_800.0  # 2020: a node without a battery says 1970
TOLERANCE = 60.0
MAX_EVENT_AGE = 3600.0


@dataclass(frozen=True)
class Moment:
    """Epoch seconds by the controller's clock; `estimated` when a node's own clock had a part."""

    time: float
    estimated: bool


@dataclass(frozen=True)
class Now:
    """This moment by the controller: epoch seconds, and seconds that nobody can set."""

    epoch: float
    steady: float


class Clock:
    """A node's clocks as its agent said them last, and the controller's at that moment."""

    def __init__(self, hello: Hello, now: Now) -> None:
        self._hello, self._began = hello, now.steady - hello.up

    def moment(self, sample: Sample, now: Now) -> Moment:
        """When `sample` was taken; raises ValueError for one from the future.

        The controller's clock may have been set since; what is told now is by what it says now.
        """
        started = self._began + now.epoch - now.steady
        if sample.boot == self._hello.boot:
            time = started + sample.up
            if time > now.epoch + TOLERANCE:
                raise ValueError("from the future")
            return Moment(round(time, 3), False)
        ago = self._hello.clock - sample.clock
        time = started + self._hello.up - ago
        if not EARLIEST <= time <= started:
            steps = max((self._hello.newest or sample.seq) - sample.seq, 1)
            time = max(started - steps * INTERVAL, EARLIEST)
        return Moment(round(time, 3), True)


def offset(clock: float, asked: float, answered: float) -> float:
    """Seconds, at least, by which a node's clock is off that was read between two moments here."""
    return min(clock - asked, 0.0) + max(clock - answered, 0.0)


def of_event(clock: float, sample: Sample, moment: Moment) -> float:
    """When an event of a sample happened, by the same clock as the sample's moment."""
    age = sample.clock - clock
    return round(moment.time - age, 3) if -TOLERANCE < age < MAX_EVENT_AGE else moment.time
