"""EVC's program on a node: `python3 evc_node.pyz COMMAND`, for those below.

One zip of plain Python >= 3.8, standard library only. Reads its orders as JSON on stdin, answers
with JSON lines on stdout. Runs as the user `evc`; `insecure` alone, at registration, as root.
"""

import sys

import build
import clear
import context
import follow
import insecure
import probe
import sampling
import settings
import swap
import trust
import watch

COMMANDS = {
    "probe": probe.main,
    "swap": swap.main,
    "pull": swap.pull,
    "settings": settings.main,
    "context": context.main,
    "build": build.main,
    "clear": clear.main,
    "follow": follow.main,
    "insecure": insecure.main,
    "trust": trust.main,
    "sample": sampling.main,
    "watch": watch.main,
}

if __name__ == "__main__":
    sys.exit(COMMANDS[sys.argv[1]](sys.argv[2:]))
