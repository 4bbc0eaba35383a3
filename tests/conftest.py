"""The order of tests, and which run side by side, so that all workers end together."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

# Other workers keep the machine busy, which says nothing of an input; CI's own profile knows that.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if "CI" in os.environ else "busy")

OTHERS = "others"
# The files whose tests share a fleet, the longest first. The first three begin with one of their
# own, and need it: in one nothing is registered yet, in the other what is set for all models
# restarts all that there are. The fourth worker has most other tests, and needs no fleet.
FLEETS = ("test_main_job", "test_settings", "test_logger", OTHERS, "test_faults", "test_networks",
          "test_builds", "test_enroll", "test_swap_deaths", "test_nodes", "test_platforms",
          "test_original", "test_camera", "test_sentinels")  # fmt: skip
LAST = "tests/unit/runbooks"  # file by file, for whoever has done all that


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(FLEETS)}
    items.sort(key=lambda item: order.get(_group(item.nodeid), len(order)))


def _group(nodeid: str) -> str:
    file, _, _ = nodeid.partition(".py::")
    folder, _, name = file.rpartition("/")
    if folder == LAST:
        return file
    return name if folder == "tests/fleet" and name in FLEETS else OTHERS


class WholeSuite(LoadScopeScheduling):
    """Hands out a group of tests at a time, the next to whoever begins its last test."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)

    def _reschedule(self, node: WorkerController) -> None:
        if not self.workqueue or self._pending_of(self.assigned_work[node]) <= 1:
            super()._reschedule(node)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> WholeSuite | None:
    """Of less than the whole suite each file is handed out."""
    whole = config.args_source == pytest.Config.ArgsSource.TESTPATHS
    return WholeSuite(config, log) if whole else None
