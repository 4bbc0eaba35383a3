"""The order of tests: files that take long begin first, so that all workers end together."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# Other workers keep the machine busy, which says nothing of an input; CI's own profile knows that.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if "CI" in os.environ else "busy")

# Each of the first three begins with a fleet of its own, and those need it: in one nothing is
# registered yet, in the other what is set for all models restarts all that there are.
LONG = ("test_main_job", "test_settings", "test_logger", "test_faults", "test_swap_deaths",
        "test_networks", "test_builds", "test_enroll", "test_nodes", "test_original",
        "test_sentinels", "test_platforms", "test_camera")  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    if item.get_closest_marker("fleet") is None:
        return len(LONG) + 1
    return LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG)
