"""What a lab's nodes are called, where they are and how one logs in: all follow from a name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Literal

Role = Literal["builder", "edge"]

# Logins differ by design: whatever works on all three kinds of edge node works on real machines.
KINDS = {"builder": ["free"], "edge": ["password", "root", "free"]}
USERS = {"builder": "ubuntu", "edge": "pi"}
GROUPS = {"builder": "builders", "edge": "lab"}
FIRST_HOST = {"builder": 10, "edge": 30}
MOST_BUILDERS, MOST_EDGES = 19, 200

_NAME = re.compile(r"(builder|edge)(\d{2,3})")


@dataclass(frozen=True)
class LabNode:
    """One node of a lab."""

    role: Role
    number: int  # from 1
    subnet: IPv4Network

    @property
    def name(self) -> str:
        return f"{self.role}{self.number:02}"

    @property
    def address(self) -> str:
        """The address on the lab's network; it outlives restarts and reconnects."""
        return str(self.subnet[FIRST_HOST[self.role] + self.number])

    @property
    def sudo(self) -> str:
        """`root` (is the login), `password` (sudo asks for one) or `free` (sudo asks nothing)."""
        kinds = KINDS[self.role]
        return kinds[(self.number - 1) % len(kinds)]

    @property
    def user(self) -> str:
        return "root" if self.sudo == "root" else USERS[self.role]

    @property
    def port(self) -> int:
        """The SSH port: 2222 on every fourth edge node, the first among them; 22 elsewhere."""
        return 2222 if self.role == "edge" and self.number % 4 == 1 else 22

    @property
    def login(self) -> str:
        return f"{self.user}@{self.address}:{self.port}"


def wanted(subnet: IPv4Network, edges: int, builders: int) -> list[LabNode]:
    """The nodes of a lab with so many edge nodes and builders."""
    made = [LabNode("builder", number, subnet) for number in range(1, builders + 1)]
    return made + [LabNode("edge", number, subnet) for number in range(1, edges + 1)]


def named(name: str, subnet: IPv4Network) -> LabNode | None:
    """The node called `name`, or None when no lab node is called so."""
    match = _NAME.fullmatch(name)
    if not match or match[1] not in KINDS:
        return None
    return LabNode("builder" if match[1] == "builder" else "edge", int(match[2]), subnet)
