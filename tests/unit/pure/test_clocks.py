"""A sample's second by the controller's clock, whatever the node's clock says."""

from __future__ import annotations

import pytest

from evc.pure.clocks import EARLIEST, Clock, Moment, Now, of_event
from evc.pure.samples import Hello, Sample

T, STEADY = 1.8e9, 7e5
NOW = Now(T, STEADY)
HELLO = Hello("boot-2", 1000.0, 50.0, "abc", 500)  # its clock stands at 1970


def sample(boot: str, seq: int, up: float, clock: float) -> Sample:
    return Sample(seq, boot, up, clock, {}, "{}")


def test_a_wrong_clock_does_not_matter_in_this_boot() -> None:
    assert Clock(HELLO, NOW).moment(sample("boot-2", 500, 995.0, 45.0), NOW) == Moment(T - 5, False)


def test_an_earlier_boot_is_estimated_by_the_corrected_clock() -> None:
    right = Hello("boot-2", 1000.0, T - 7200.0, "abc", 500)  # two hours late
    earlier = sample("boot-1", 400, 3.0, T - 7200.0 - 4000.0)
    assert Clock(right, NOW).moment(earlier, NOW) == Moment(T - 4000, True)


def test_a_clock_that_was_wrong_then_is_not_believed() -> None:
    late = Hello("boot-2", 1000.0, T, "abc", 500)
    moments = [Clock(late, NOW).moment(sample("boot-1", seq, 3.0, 7.0), NOW) for seq in (300, 301)]
    assert all(moment.estimated and EARLIEST < moment.time < T - 1000 for moment in moments)
    assert moments[1].time - moments[0].time == 5.0


def test_what_comes_from_the_future_is_refused() -> None:
    with pytest.raises(ValueError, match="future"):
        Clock(HELLO, NOW).moment(sample("boot-2", 501, 1000.0 + 300, 0.0), NOW)


def test_a_controllers_clock_that_is_set_moves_what_is_told_and_loses_nothing() -> None:
    clock, taken = Clock(HELLO, NOW), sample("boot-2", 501, 1005.0, 55.0)
    for step in (-86400.0, -90.0, 0.0, 3600.0):
        set_to = Now(T + 5 + step, STEADY + 5)
        assert clock.moment(taken, set_to) == Moment(T + 5 + step, False)


def test_an_event_happened_before_its_sample() -> None:
    one = sample("boot-2", 500, 995.0, 45.0)
    moment = Clock(HELLO, NOW).moment(one, NOW)
    assert of_event(43.0, one, moment) == T - 7
    assert of_event(1.7e9, one, moment) == moment.time
