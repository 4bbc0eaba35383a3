"""Keep EVC's agent running on this node: it samples whether or not anybody reads.

The agent itself sees to it that a second one ends at once, and that a newer one takes over.
"""

import os
import sys
from pathlib import Path

import home
from journal import detached

AGENT = "evc_agent.py"


def main(arguments):
    """Start the agent; with a FILE, which is one, that in its place."""
    if arguments:
        home.put(home.HOME / AGENT, Path(arguments[0]).read_bytes(), 0o755)
    keep()
    return 0


def keep():
    """Start the agent, in a process of its own, if it is there and does not run."""
    agent = str(home.HOME / AGENT)
    if os.path.exists(agent) and not home.held(home.HOME / "ring" / "lock"):
        detached(lambda: os.execv(sys.executable, [sys.executable, agent, "sample"]))
