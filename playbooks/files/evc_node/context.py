"""Before a build: what of its context is on this builder, and which registries it reaches.

The parts of a context are named by their content: what is here is not sent again.
"""

import json
import os
import shutil

import home
import probe


def main(arguments):
    """Say which "parts" are missing, and keep the "network" that builds have from now on.

    Proxies and mirrors have their passwords: they are in no order, whose journal is kept and sent.
    """
    asked = home.order(arguments)
    home.replace(home.HOME / "network.json", json.dumps(asked["network"]).encode())
    parts().mkdir(mode=0o700, exist_ok=True)
    missing = [name for name, size in asked["parts"].items() if use(name) != size]
    reaches = {place: probe.reaches(place) for place in asked["registries"]}
    print(json.dumps({"missing": missing, "reaches": reaches}))
    return 0


def keep(arguments):
    """Take in a part: NAME, and the FILE that it comes in."""
    name, file = arguments
    draft = parts() / ("%s.%d" % (name, os.getpid()))
    shutil.move(file, str(draft))  # at once, unless it comes from another disk
    draft.chmod(0o600)
    draft.rename(parts() / name)
    return 0


def parts():
    """The folder with them."""
    return home.HOME / "parts"


def use(name):
    """The bytes of a part that is here, or None; from now on it is used today: see prune.py."""
    try:
        os.utime(str(parts() / name))
        return (parts() / name).stat().st_size
    except FileNotFoundError:
        return None
