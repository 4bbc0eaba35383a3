"""On a rendezvous: who may keep a tunnel there, and who may ask for one.

Runs as `evc-tunnel`, as the forced command of a key: `manage` for the controller, `enroll NAME` for
a node's first boot. It only ever touches its own fleet's lines of `authorized_keys`.
"""

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import pwd
import random
import re
import signal
import socket
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent  # named after the fleet
HOME = FOLDER.parent
KEYS = HOME / ".ssh" / "authorized_keys"
PORTS = range(20000, 32000)  # below those that Linux gives to outgoing connections
MAX_INPUT, MAX_ORDER = 65536, 1048576  # from a node; from the controller, with all its ports
END_SECONDS = 10.0

# sshd's own limits have no word for "nothing": a name that never resolves (RFC 2606).
NOWHERE = "nowhere.invalid:1"
ENROLL = 'restrict,command="python3 %s enroll %s" %s %s'
TUNNEL = (
    'restrict,port-forwarding,permitlisten="127.0.0.1:%d",permitopen="' + NOWHERE + '"'
    ',command="false" %s %s'
)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
TUNNEL_KEY = re.compile(r"ssh-ed25519 [A-Za-z0-9+/]{68}")
HOST_KEY = re.compile(
    r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]{60,1000}={0,2}"
)


class Refused(Exception):
    """What was asked is not done; the text says why."""


def main(arguments):
    try:
        with locked():
            if arguments == ["manage"]:
                order = json.loads(sys.stdin.read(MAX_ORDER))
                print(json.dumps(ORDERS[order.pop("do")](**order)))
            elif len(arguments) == 2 and arguments[0] == "enroll":
                print(enroll(arguments[1], sys.stdin.read(MAX_INPUT)))
            else:
                raise Refused("nothing is known by that name here")
    except Refused as error:
        print("evc: %s" % error, file=sys.stderr)
        return 1
    return 0


@contextlib.contextmanager
def locked():
    """One at a time for all fleets of this account: they share a file of keys."""
    with (HOME / "lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def open_enrolment(name, key, token, seconds, taken):
    """A port for a new node, and until when it may come; `token` is the SHA-256 of its token."""
    port = (read(name) or {}).get("port") or free_port(set(taken))
    record = {"port": port, "token": token, "expires": time.time() + seconds}
    write(name, record)
    set_line("enroll", name, ENROLL % (Path(__file__).resolve(), name, checked(TUNNEL_KEY, key),
                                       mark("enroll", name)))  # fmt: skip
    return {"port": port, "expires": record["expires"]}


def enroll(name, text):
    """Take what a node's first boot presents: its token, its tunnel's key, its host keys."""
    token, _, rest = text.partition("\n")
    tunnel, _, hosts = rest.partition("\n")
    record, now = read(name), time.time()
    given = hashlib.sha256(token.strip().encode()).hexdigest()
    if record is None or not hmac.compare_digest(given, record["token"]):
        raise Refused("this token is wrong: ask for a new first-boot script")
    tunnel = checked(TUNNEL_KEY, tunnel)
    if "used" in record:
        if record["tunnel_key"] != tunnel:
            raise Refused("this token was used already, %s: ask for a new first-boot script"
                          % said(record["used"]))  # fmt: skip
        return "enrolled before"  # the answer got lost on the way, or the script ran again
    if now > record["expires"]:
        raise Refused("this token expired, %s: ask for a new first-boot script"
                      % said(record["expires"]))  # fmt: skip
    keys = [checked(HOST_KEY, line) for line in hosts.splitlines()[:5] if line.strip()]
    write(name, {**record, "used": now, "tunnel_key": tunnel, "host_keys": keys})
    return "enrolled"


def show():
    """Every node that was given a script, and what its first boot presented."""
    files = sorted((FOLDER / "nodes").glob("*.json"))
    names = [file.name[: -len(".json")] for file in files]
    shown = ("port", "expires", "used", "tunnel_key", "host_keys")
    records = {name: read(name) for name in names}
    return {
        name: {key: record[key] for key in shown if key in record}
        for name, record in records.items()
    }


def accept(name):
    """From now on the node's own key keeps its tunnel, and its first-boot script opens nothing."""
    record = read(name)
    if record is None or "used" not in record:
        raise Refused("%s has not presented itself yet" % name)
    set_line("tunnel", name, TUNNEL % (record["port"], record["tunnel_key"], mark("tunnel", name)))
    set_line("enroll", name, None)
    return {}


def close(name):
    """Take both of a node's keys away and end what goes on by them."""
    record = read(name)
    if not record and mark("tunnel", name) not in keys_text():
        return {}
    set_line("enroll", name, None)
    set_line("tunnel", name, None)
    end_sessions()
    if record:
        wait_until_free(record["port"])
        file(name).unlink()
    return {}


ORDERS = {"open": open_enrolment, "show": show, "accept": accept, "close": close}


def end_sessions():
    """End every session of this account but our own; of no other account, and in no container.

    Which of them holds a port cannot be told from outside, and a hostile one would not say. Those
    of the other nodes come back by themselves.
    """
    if Path(pwd.getpwuid(os.getuid()).pw_dir).resolve() != HOME:
        return
    own, owner = ancestors(), r"^Uid:\s+{0}\s+{0}\s".format(os.getuid())
    for pid in (int(entry.name) for entry in Path("/proc").glob("[0-9]*")):
        with contextlib.suppress(OSError):
            status = Path("/proc/%d/status" % pid).read_text()
            ours = all(re.search(one, status, re.MULTILINE) for one in (owner, r"^NSpid:\s+\d+$"))
            if ours and status.startswith("Name:\tsshd") and pid not in own:
                os.kill(pid, signal.SIGKILL)


def ancestors():
    found, pid = set(), os.getpid()
    while pid > 1:
        found.add(pid)
        pid = int(Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()[1])
    return found


def wait_until_free(port):
    deadline = time.monotonic() + END_SECONDS
    while not is_free(port):
        if time.monotonic() > deadline:
            raise Refused("something still listens on 127.0.0.1:%d" % port)
        time.sleep(0.05)


def free_port(taken):
    """A port that no node of any fleet here has, that is not `taken`, and that nothing uses."""
    given = {int(found) for found in re.findall(r'permitlisten="127\.0\.0\.1:(\d+)"', keys_text())}
    given |= {json.loads(one.read_text())["port"] for one in HOME.glob("*/nodes/*.json")}
    left = sorted(set(PORTS) - given - taken)
    for port in random.sample(left, len(left)):
        if is_free(port):
            return port
    raise Refused("no port is free for one more tunnel")


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def set_line(kind, name, line):
    """Put the one line of this mark into `authorized_keys`, or (None) take it away."""
    end = " " + mark(kind, name)
    lines = [one for one in keys_text().splitlines() if not one.endswith(end)]
    replace(KEYS, "".join("%s\n" % one for one in [*lines, *([line] if line else [])]))


def mark(kind, name):
    return "evc:%s:%s:%s" % (FOLDER.name, kind, name)


def keys_text():
    return KEYS.read_text() if KEYS.exists() else ""


def file(name):
    return FOLDER / "nodes" / (checked(NAME, name) + ".json")


def read(name):
    try:
        return json.loads(file(name).read_text())
    except FileNotFoundError:
        return None


def write(name, record):
    file(name).parent.mkdir(mode=0o700, exist_ok=True)
    replace(file(name), json.dumps(record))


def replace(path, text):
    draft = path.with_name(".%s.draft" % path.name)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)


def checked(pattern, text):
    """`text`'s words as far as they are what they should be: a comment of a key is left out."""
    found = pattern.fullmatch(" ".join(text.split()[:2]))
    if not found:
        raise Refused("%r is not what was expected" % text[:60])
    return found.group()


def said(moment):
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(moment))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
