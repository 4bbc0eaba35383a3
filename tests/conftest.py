"""The order of tests: files that take long begin first, so that all workers end together."""

from __future__ import annotations

import pytest

LONG = ("test_main_job", "test_logger", "test_faults", "test_builds", "test_swap_deaths",
        "test_enroll", "test_platforms", "test_settings", "test_networks")  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    if item.get_closest_marker("fleet") is None:
        return len(LONG) + 1
    return LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG)
