"""The figures of a made-up node: a Raspberry Pi with four cores, all of which move."""

from __future__ import annotations

from typing import Any

MEMORY = 2_000_000_000


def figures(node: int, count: int) -> dict[str, Any]:
    """What the agent measures the `count`th time; memory.available is MEMORY + count."""
    one = (count * 7919 + node * 104_729) % 1000
    rx, tx, read, write = (round(one * each, 1) for each in (10.3, 2.7, 10.1, 51.2))
    return {
        "cpu": {"idle": one / 10, "cores": [(one * n % 1000) / 10 for n in range(1, 5)]},
        "load": [one / 100, round(one / 110, 2), round(one / 120, 2)],
        "memory": {"used": one / 10, "total": 3_977_580_544, "available": MEMORY + count,
                   "swap_total": 104_853_504, "swap_used": 10_240_000 + one},
        "network": {"rx": rx, "tx": tx, "interfaces": {"eth0": {"rx": rx, "tx": tx}}},
        "io": {"read": read, "write": write,
               "disks": {"mmcblk0": {"read": read, "write": write, "busy": 2.5}}},
        "disks": {"/": {"used": 12_345_678_901 + one, "available": 17_345_678_901 - one},
                  "/boot/firmware": {"used": 12_345_678, "available": 234_567_890}},
        "docker_disk": "/",
        "temperatures": {"cpu-thermal": 40 + one / 10, "rp1_adc": 45 + one / 10},
        "containers": {},
        "logs": {},
        "agent": {"interval": 5.0, "missed": 0, "unwritten": 0},
    }  # fmt: skip
