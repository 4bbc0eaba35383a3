"""Minutes for a metered link: each sample is in one of them, and what they say is what was."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from evc.pure.minutes import Unzipped
from tests.unit.playbooks.rings import Reader, agent, fill, on_disk


def append(ring: Any, up: float, **sample: Any) -> None:
    ring.append(json.dumps({"up": up, "time": 1e9 + up, "sample": sample}).encode())


def minutes(folder: Path, position: str = "") -> list[dict[str, Any]]:
    return [line for line in Reader(folder, position, agent.Minutes).all() if "minute" in line]


def test_figures_of_a_minute(tmp_path: Path) -> None:
    ring = agent.Ring(str(tmp_path), "boot-1")
    for n, idle in enumerate([10.0, 20.0, 60.0, 5.0]):
        append(
            ring,
            60.0 + n if n < 3 else 120.0,
            cpu={"idle": idle, "cores": [idle, None]},
            disks={"/": {"used": 10**10 + n}, "/boot": {"used": 5}},
            docker_disk="/",
            temperatures={"cpu": 40.0 + n} if n else {},
            throttling={"now": ["throttled"] if n == 1 else []},
            containers={"abc": {"restarts": n, "cpu": float(n)}} | ({} if n else {"old": {}}),
            logs={"abc": 1},
        )
    first, last = minutes(tmp_path)
    assert [first["minute"]["count"], last["minute"]["count"]] == [1, 3]  # the newest, live
    seq = on_disk(tmp_path)[0]["seq"]
    assert (last["minute"]["from"], last["seq"], last["boot"]) == (seq, seq + 2, "boot-1")
    assert (last["up"], last["time"]) == (62.0, 1e9 + 62)
    sample = last["sample"]
    assert sample["cpu"] == {"idle": 30.0, "cores": [30.0, None]}
    assert sample["disks"] == {"/": {"used": 10**10 + 1}, "/boot": {"used": 5}}
    assert sample["throttling"] == {"now": ["throttled"]}  # though it was for a moment only
    assert sample["containers"] == {"abc": {"restarts": 2, "cpu": 1.0}}
    assert "logs" not in sample
    least, most, there = (last["minute"][key] for key in ("low", "high", "there"))
    assert [one["cpu"]["idle"] for one in (least, most, there)] == [10.0, 60.0, 100.0]
    assert [one["temperatures"]["cpu"] for one in (least, most, there)] == [41.0, 42.0, 66.67]
    assert [one["disks"]["/"]["used"] for one in (least, most)] == [10**10, 10**10 + 2]


def test_what_models_printed_in_short(tmp_path: Path) -> None:
    ring, found = agent.Ring(str(tmp_path), "boot-1"), {"event": "prediction", "model": "face"}
    for n in range(3):
        faces = [{"class": "face", "probability": p, "box": [n, 2, 3, 4], "mask": "x" * 999}
                 for p in (0.5, 0.9 - n / 10)]  # fmt: skip
        prediction = {**found, "time": n, "latency_ms": 10.0 + n, "results": faces}
        metric = {"event": "metric", "model": "face", "name": "fps", "value": n, "time": n}
        odd = {**found, "results": [5, {"class": "face", "probability": "high"}], "time": n}
        append(ring, 60.0 + n, events=[prediction, metric, odd])
    append(ring, 130.0)
    told = minutes(tmp_path)[1]["sample"]["events"]
    metrics = {one["name"]: one["value"] for one in told if one["event"] == "metric"}
    assert metrics == {"latency_ms": 11.0, "predictions": 6, "fps": 1.0}
    (surest,) = [one for one in told if one["event"] == "prediction"]
    assert surest["results"] == [{"class": "face", "probability": 0.9, "box": [0, 2, 3, 4]}]


def test_a_gap_comes_behind_what_was_before_it(tmp_path: Path) -> None:
    ring = agent.Ring(str(tmp_path), "boot-1")
    for n in range(9):
        append(ring, 60.0 + n, n=n)
    (segment,) = tmp_path.glob("*.log")
    segment.write_bytes(segment.read_bytes().replace(b'"n": 4', b'"n": 5'))
    first = ring._seq - 9
    lines = Reader(tmp_path, "", agent.Minutes).all()[2:]
    assert [line.get("gap") or (line["minute"]["from"], line["seq"]) for line in lines] == [
        (first, first + 3),
        {"from": first + 4, "to": first + 4, "reason": "disk"},
        (first + 5, first + 7),
    ]
    reached = [line["at"].split(",")[1:] for line in lines]
    assert reached == [[f"{first + 4}-{first + 7}"], [f"{first + 5}-{first + 7}"], []]


def test_the_last_minute_waits_until_it_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [60.0]
    monkeypatch.setattr(agent, "uptime", lambda: now[0])
    ring = agent.Ring(str(tmp_path), "boot-1")
    reader = Reader(tmp_path, "", agent.Minutes)
    append(ring, 60.0)
    assert len(reader.all()) == 1
    now[0] = 125.0
    assert reader.all()[1]["minute"]["count"] == 1


@pytest.mark.parametrize("seed", range(5))
def test_each_sample_is_in_one_minute_across_reconnects(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent, "uptime", lambda: 1e6)  # all these minutes are over
    chance, ring = random.Random(seed), agent.Ring(str(tmp_path), "boot-1")
    at, parts = "", list[tuple[int, int, int]]()
    for n in range(40):
        for one in range(20):
            append(ring, (20 * n + one) * 5.0)
        lines = Reader(tmp_path, at, agent.Minutes).all()
        for line in lines[: len(lines) if n == 39 else chance.randrange(30)]:
            at = line["at"]
            if "minute" in line:
                parts.append((line["minute"]["from"], line["seq"], line["minute"]["count"]))
    parts.sort()
    assert all(last - first + 1 == count for first, last, count in parts)
    numbers = [seq for first, last, _ in parts for seq in range(first, last + 1)]
    assert numbers == [line["seq"] for line in on_disk(tmp_path)]


def test_only_the_holes(tmp_path: Path) -> None:
    fill(agent.Ring(str(tmp_path), "boot-1"), range(20))
    first = on_disk(tmp_path)[0]["seq"]
    holes = f"{first + 9},{first + 5}-{first + 7},{first + 1}-{first + 1}"
    reader = Reader(tmp_path, holes, agent.Raw, False)
    assert reader.numbers() == [5, 6, 7, 1]
    assert reader.lines()[-1]["at"] == str(first + 9)
    assert not reader.follower.step()


def test_compressed_as_one_stream(tmp_path: Path) -> None:
    written = list[bytes]()
    write, unzipped = agent.Zipped(written.append), Unzipped()
    lines = [b'{"at":"1","some":"words %d"}\n' % n for n in range(50)]
    for line in lines:
        write(line)
    write(b"")
    write(b"".join(lines))
    back = [unzipped.lines(text.rstrip(b"\n")) for text in written]
    assert [b"".join(one) + b"\n" for one in back[:50]] == lines
    assert b"\n".join(back[50]) + b"\n" == b"".join(lines)
    assert len(written[40]) < len(written[0]) / 2
