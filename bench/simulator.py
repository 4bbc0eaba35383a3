"""Many nodes in one process: `python -m bench.simulator FOLDER < plan.json`.

Each is an SSH server of its own on a port of the loopback, with its own host key, that answers
`follow` with the product's own agent: its ring, its follower and its lines. Only what a sample
holds is made up, see `bench.figures`.

The plan is a line of JSON on stdin: {"nodes", "interval", "seconds" (it ends by then), "public"
(the key that may log in), "away", "backlog"}. The answer is one on stdout: [{"name", "port",
"host_key"}]. The last `away` nodes hold `backlog` seconds of samples, and do not listen until the
line `return`. The line `stop` ends the sampling: {name: [first, last number in its ring]} is
printed, and what was sampled can be fetched until stdin ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import resource
import shlex
import socket
import sys
import time
from pathlib import Path
from typing import Any

import asyncssh

from bench.figures import figures
from evc.doors import fleet as fleets

LOOPBACK = "127.0.0.1"
UP_BEFORE = 1_000_000.0  # seconds that each machine was up already
MOST_NODES, MOST_SECONDS, MOST_BACKLOG = 2000, 3600.0, 100_000.0
TICK_SECONDS = 0.05


def _agent() -> Any:
    """The product's agent as a module, on machines that have been up for some days."""
    path = fleets.share() / "playbooks" / "files" / "evc_agent.py"
    spec = importlib.util.spec_from_file_location("evc_agent", path)
    assert spec and spec.loader
    agent = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(agent)
    agent.uptime = lambda: time.clock_gettime(time.CLOCK_BOOTTIME) + UP_BEFORE
    return agent


agent = _agent()


class Machine:
    """One node: its ring, and what tells its followers of a new line."""

    def __init__(self, folder: Path, number: int) -> None:
        self.name, self.folder = f"node{number:04}", folder / f"node{number:04}"
        self._number, self._count = number, 0
        self._news = asyncio.Event()
        self._socket = socket.socket()
        self._socket.bind((LOOPBACK, 0))  # a port of its own, that refuses as long as it is away
        self.port: int = self._socket.getsockname()[1]
        self.folder.mkdir()
        self._ring = agent.Ring(str(self.folder), agent.boot_id())

    def sample(self, ago: float = 0.0) -> None:
        """Measure once; `ago` seconds ago by all of its clocks."""
        self._count += 1
        body = {"up": round(agent.uptime() - ago, 3), "time": round(time.time() - ago, 3)}
        body["sample"] = figures(self._number, self._count)
        self._ring.append(json.dumps(body, separators=(",", ":")).encode())
        self._news.set()
        self._news = asyncio.Event()

    def numbers(self) -> list[int]:
        """The first and the last number in its ring."""
        return [agent.segments(str(self.folder))[0][0], agent.newest(str(self.folder))[0]]

    async def follow(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        """As `evc_agent.py follow` does, until nobody reads any more."""
        words = shlex.split(process.command or "")
        position = agent.parse_position(words[words.index("--after") + 1])
        follower = agent.Follower(str(self.folder), position, process.stdout.write)
        with contextlib.suppress(BrokenPipeError, asyncssh.Error, ConnectionError):
            while not process.channel.is_closing():
                news = self._news
                while follower.step():
                    await process.stdout.drain()
                    await asyncio.sleep(0)  # machines do not wait for each other
                await news.wait()

    async def listen(self, key: asyncssh.SSHKey, public: str) -> None:
        """Take connections from now on, of whoever has the key `public`."""
        await asyncssh.listen(
            sock=self._socket,
            server_host_keys=[key],
            authorized_client_keys=asyncssh.import_authorized_keys(public),
            process_factory=self.follow,
            encoding=None,
        )


class Simulation:
    """All machines of a plan."""

    def __init__(self, folder: Path, plan: dict[str, Any]) -> None:
        self._interval, self._public = float(plan["interval"]), str(plan["public"])
        numbers = range(min(int(plan["nodes"]), MOST_NODES))
        self._machines = [Machine(folder, number) for number in numbers]
        self._keys = [asyncssh.generate_private_key("ssh-ed25519") for _ in numbers]
        self._here = len(self._machines) - int(plan["away"])
        self._backlog = min(float(plan["backlog"]), MOST_BACKLOG)

    async def run(self, lines: asyncio.StreamReader) -> None:
        """From the first port to the end of what is asked."""
        for machine in self._machines[self._here :]:
            for step in range(int(self._backlog / self._interval), 0, -1):
                machine.sample(step * self._interval)
        await self._listen(0, self._here)
        _say([self._node(number) for number in range(len(self._machines))])
        sampling = asyncio.create_task(self._sample())
        while line := (await lines.readline()).strip():
            if line == b"return":
                await self._listen(self._here, len(self._machines))
            if line == b"stop":
                sampling.cancel()
                _say({machine.name: machine.numbers() for machine in self._machines})

    def _node(self, number: int) -> dict[str, Any]:
        machine, key = self._machines[number], self._keys[number]
        public = key.export_public_key().decode().strip()
        return {"name": machine.name, "port": machine.port, "host_key": public}

    async def _listen(self, first: int, last: int) -> None:
        for number in range(first, last):
            await self._machines[number].listen(self._keys[number], self._public)

    async def _sample(self) -> None:
        """Each machine at its own moment of an interval, as machines do that started by chance."""
        number, due, step = 0, time.monotonic(), self._interval / len(self._machines)
        while True:
            while due <= time.monotonic():
                self._machines[number % len(self._machines)].sample()
                number, due = number + 1, due + step
            await asyncio.sleep(TICK_SECONDS)


async def _stdin() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin.buffer)
    return reader


def _say(what: object) -> None:
    print(json.dumps(what), flush=True)


async def _main(folder: Path) -> None:
    lines = await _stdin()
    plan = json.loads(await lines.readline())
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    async with asyncio.timeout(min(float(plan["seconds"]), MOST_SECONDS)):
        await Simulation(folder, plan).run(lines)


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
