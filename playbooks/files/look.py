"""What root finds on a machine before EVC changes anything: look.py HOME

Says as JSON which fleet's mark is in HOME, and what there is to build on.
"""

import grp
import json
import os
import sys


def mark(home):
    try:
        with open(os.path.join(home, "fleet"), errors="replace") as file:
            return file.read(64).strip()
    except OSError:
        return ""


def has_group(name):
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


print(
    json.dumps(
        {
            "mark": mark(sys.argv[1]),
            "docker": has_group("docker"),
            "systemd": os.path.isdir("/run/systemd/system"),
        }
    )
)
