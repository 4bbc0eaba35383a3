"""`python -m bench [NAME…]`: run the benchmarks, print a table, write `bench/results.json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import (
    agent,
    cli_start,
    dashboards,
    enroll,
    link,
    logger,
    main_job,
    pages,
    pulling,
    register,
    scale,
    telemetry,
)
from bench.measure import Result

BENCHES = {
    "cli_start": cli_start.bench,
    "rerun_noop": main_job.rerun_noop,
    "deploy_vs_floor": main_job.deploy_vs_floor,
    "code_change_bytes": main_job.code_change_bytes,
    "register_20": register.register_20,
    "register_40_mixed": register.register_40_mixed,
    "pull_through_ssh": pulling.bench,
    "enroll_to_serving": enroll.bench,
    "agent_cpu_vs_node_exporter": agent.cpu,
    "agent_pss": agent.pss,
    "bytes_per_sample": telemetry.bytes_per_sample,
    "month_query": telemetry.month_query,
    "logger_cpu_vs_prometheus": logger.cpu,
    "logger_pss": logger.pss,
    "logger_cpu_same_series": logger.cpu_same_series,
    "logger_pss_same_series": logger.pss_same_series,
    "logger_1000": scale.logger_1000,
    "backlog_fair": scale.backlog_fair,
    "panel_slowest": dashboards.panel_slowest,
    "link_bytes_day": link.bench,
    "page_ready": pages.page_ready,
    "watch_cpu": pages.watch_cpu,
}


def main(*chosen: str) -> None:
    if unknown := {*chosen} - {*BENCHES}:
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    results = []
    for name in chosen or BENCHES:
        print(f"running {name}", file=sys.stderr, flush=True)
        results.append(BENCHES[name]())
    _show(results)
    documents = [result.as_json() for result in results]
    Path(__file__).with_name("results.json").write_text(json.dumps(documents, indent=1) + "\n")


def _show(results: list[Result]) -> None:
    table = Table("NAME", "VALUE", "PEER", "PEER'S", "RATIO", "GOAL", "HOLDS", box=None)
    for one in results:
        value, peer = f"{one.value:.3g} {one.unit}", f"{one.peer_value:.3g} {one.unit}"
        ratio, goal = f"{one.ratio:.2f}", f"≤ {one.goal}"
        table.add_row(one.name, value, one.peer, peer, ratio, goal, "yes" if one.holds else "NO")
    Console(width=140).print(table)


if __name__ == "__main__":
    main(*sys.argv[1:])
