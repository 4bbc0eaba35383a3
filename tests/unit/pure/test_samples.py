"""An agent's lines as values: what an honest one sends is taken whole."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from evc.pure import samples
from evc.pure.samples import Container, Gap, Hello, Sample, Silence

FILES = Path(__file__).parents[3] / "playbooks" / "files"
DATA = Path(__file__).parents[1] / "data" / "agent"
sys.path.insert(0, str(FILES))

import evc_agent as agent  # noqa: E402

RUNNING = {"model": "face", "release": "1+abc", "digest": "sha256:1", "state": "running",
           "health": "healthy", "restarts": 2, "cpu": 12.5, "memory": 4096}  # fmt: skip
PREDICTION = {"event": "prediction", "model": "face", "time": 99.0, "latency_ms": 20.5,
              "results": [{"class": "face", "probability": 0.9, "box": [1, 2, 3, 4]},
                          {"class": "hat", "probability": 0.1}]}  # fmt: skip
METRIC = {"event": "metric", "model": "face", "time": 99.5, "name": "fps", "value": 9}


def line(sample: dict[str, Any]) -> bytes:
    head = {"at": "7", "seq": 7, "boot": "b", "up": 5.0, "time": 100.0}
    return json.dumps({**head, "sample": sample}).encode()


def read(sample: dict[str, Any]) -> Sample:
    found = samples.read(line(sample))
    assert isinstance(found.what, Sample) and not found.dropped
    return found.what


@pytest.mark.parametrize("machine", ["rpi", "jetson", "x86"])
def test_each_machine_is_taken_whole(machine: str) -> None:
    sampler = agent.Sampler(str(DATA / machine))
    found = read(json.loads(sampler.line({"interval": 5}))["sample"])
    detail = json.loads(found.detail)
    assert found.figures["memory_total"] and found.figures["disk_used"] is not None
    assert found.figures["temperature"] == max(detail["temperatures"].values())
    assert set(detail["disks"]) == set(sampler._mounts)


def test_figures_and_single_ones_by_their_names() -> None:
    found = read(
        {
            "cpu": {"idle": 50.5, "cores": [1.0, None]},
            "load": [0.1, 0.2, 0.3],
            "disks": {"/": {"used": 10, "available": 20}, "/d": {"used": 30, "available": 40}},
            "docker_disk": "/d",
            "network": {"rx": 1.5, "tx": 2.5, "interfaces": {"eth0": {"rx": 1.5, "tx": 2.5}}},
            "io": {"read": 0, "write": 8, "disks": {"sda": {"read": 0, "write": 8, "busy": 1.0}}},
            "gpu": {"0": {"name": "x", "used": 31.0, "power": 2.5}},
            "throttling": {"now": ["under-voltage"], "since_boot": []},
            "agent": {"interval": 5.0, "missed": 0, "unwritten": 3},
        }
    )
    assert (found.seq, found.boot, found.up, found.clock) == (7, "b", 5.0, 100.0)
    assert found.figures["idle"] == 50.5 and found.figures["load15"] == 0.3
    assert (found.figures["disk_used"], found.figures["disk_available"]) == (30, 40)
    assert (found.figures["rx"], found.figures["disk_write"]) == (1.5, 8)
    assert found.figures["memory_used"] is None and set(found.figures) == set(samples.FIGURES)
    assert json.loads(found.detail) == {
        "cores": [1.0, None],
        "throttled": ["under-voltage"],
        "agent": {"unwritten": 3},
        "disks": {"/": [10, 20], "/d": [30, 40]},
        "interfaces": {"eth0": [1.5, 2.5]},
        "io": {"sda": [0, 8, 1.0]},
        "gpu": {"0": [31.0, None, None, None, 2.5]},
    }


def test_containers_and_what_they_print() -> None:
    found = read({"containers": {"abc": RUNNING}, "events": [PREDICTION, METRIC]})
    assert found.containers == (
        Container("abc", "face", "1+abc", "sha256:1", "running", "healthy", 2, 12.5, 4096),
    )
    first, second = found.predictions
    assert (first.model, first.release, first.name, first.probability, first.box, first.clock) == (
        "face", "1+abc", "face", 0.9, "[1, 2, 3, 4]", 99.0)  # fmt: skip
    assert (second.name, second.box) == ("hat", "")
    assert [(one.name, one.value) for one in found.metrics] == [("latency_ms", 20.5), ("fps", 9)]


def test_what_is_no_sample() -> None:
    hello = {"boot": "b", "up": 1.5, "time": 2.5, "format": 1, "program": "0123abcd", "newest": 4}
    texts = {
        json.dumps({"at": "", "follow": hello}): Hello("b", 1.5, 2.5, "0123abcd", 4),
        '{"at":"9","gap":{"from":3,"to":5,"reason":"ring"}}': Gap(3, 5, "ring"),
        '{"at":"9","gap":{"from":3,"to":null,"reason":"reset"}}': Gap(3, None, "reset"),
        '{"at":"9","silent":31.5}': Silence(31.5),
    }
    for text, what in texts.items():
        assert samples.read(text.encode()).what == what
