"""The order of tests: files that take long begin first, so that all workers end together."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# Other workers keep the machine busy, which says nothing of an input; CI's own profile knows that.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if "CI" in os.environ else "busy")

LONG = ("test_main_job", "test_logger", "test_faults", "test_builds", "test_swap_deaths",
        "test_enroll", "test_platforms", "test_settings", "test_networks")  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    if item.get_closest_marker("fleet") is None:
        return len(LONG) + 1
    return LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG)
