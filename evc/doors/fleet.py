"""The fleet folder: where it is, what lies where in it, its files and its locks."""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import secrets
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evc.pure import schema
from evc.pure.config import ServerConfig
from evc.pure.errors import BadInput, Locked

CONFIG = "ServerConfig.yaml"
# A Unix socket's path has 107 bytes at most (unix(7)); OpenSSH's name for one in it takes 28.
LONGEST_SOCKETS_FOLDER = 79
MAX_CONFIG_BYTES = 2_000_000  # more than the parser takes, so that it says so


@dataclass(frozen=True)
class Fleet:
    """A fleet folder by its root; every path EVC uses in it is a property here."""

    root: Path

    @property
    def config_file(self) -> Path:
        return self.root / CONFIG

    @property
    def inventory_file(self) -> Path:
        return self.root / "hosts.ini"

    @property
    def database(self) -> Path:
        return self.root / "db" / "edge_logs.db3"

    @property
    def certs(self) -> Path:
        """CA, registry certificate, logins and SSH key; 0700, or the group's alone."""
        return private_folder(self.root / "certs")

    @property
    def known_hosts(self) -> Path:
        return self.certs / "known_hosts"

    @property
    def rendezvous_hosts(self) -> Path:
        """The host keys of rendezvous hosts: not among the nodes', which come and go."""
        return self.certs / "rendezvous_hosts"

    @property
    def ssh_key(self) -> Path:
        return self.certs / "id_ed25519"

    @property
    def login_key(self) -> Path:
        """The same key as OpenSSH takes it, readable by whoever uses it alone.

        Of a fleet that is a group's, everyone logs in with a copy of their own.
        """
        if not is_shared(self.certs) or not self.ssh_key.exists():
            return self.ssh_key
        own, text = self._own_folder("key") / "id_ed25519", self.ssh_key.read_text()
        if not own.exists() or own.read_text() != text:
            write_private(own, text)
        return own

    @property
    def private_mode(self) -> int:
        """The mode of a private file of the fleet."""
        return _private_mode(self.certs)

    @property
    def ca(self) -> Path:
        return self.certs / "ca.crt"

    @property
    def settings_key(self) -> Path:
        """What secrets are encrypted with."""
        return self.certs / "settings.key"

    @property
    def sockets(self) -> Path:
        """Where SSH keeps its control sockets, at paths of at most 107 bytes."""
        return self._own_folder("")

    def _own_folder(self, kind: str) -> Path:
        """A folder of this account outside the fleet's."""
        name = "-".join(filter(None, ["evc", str(os.getuid()), self.id, kind]))
        folder = Path(tempfile.gettempdir()) / name
        if len(os.fsencode(folder)) > LONGEST_SOCKETS_FOLDER:
            folder = Path("/tmp") / name
        private_folder(folder)
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            raise BadInput(f"{folder} belongs to somebody else", "remove it")
        return folder

    @property
    def registry_data(self) -> Path:
        return self.root / "db" / "registry"

    @property
    def id(self) -> str:
        """The mark that nodes, containers and networks of this fleet carry: 12 hex digits."""
        file = self.certs / "fleet-id"
        if not file.exists():
            write_private(file, secrets.token_hex(6))
        return file.read_text().strip()

    def config(self) -> ServerConfig:
        """The parsed `ServerConfig.yaml`; raises BadFile with all its problems."""
        return schema.read(read_config(self.config_file), CONFIG, ServerConfig)

    @contextlib.contextmanager
    def lock(self, target: str, wait: bool = False) -> Iterator[None]:
        """Hold the lock named `target`; raises Locked naming the holder. Death frees it.

        `wait` is for locks that nobody holds longer than a file takes to write.
        """
        folder = private_folder(self.root / "db" / "locks")
        with (folder / f"{target}.lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                raise Locked(*_holder(file.name, target)) from None
            file.truncate(0)
            mine = {"pid": os.getpid(), "command": _command(), "account": getpass.getuser()}
            file.write(json.dumps({**mine, "at": time.time()}))
            file.flush()
            yield


def find(start: Path | None = None) -> Fleet:
    """The fleet folder at or above `start` (else EVC_HOME, else here); raises BadInput."""
    begin = (start or Path(os.environ.get("EVC_HOME") or Path.cwd())).absolute()
    try:
        for folder in (begin, *begin.parents):
            if (folder / CONFIG).is_file():
                return Fleet(folder)
    except PermissionError as error:
        remedy = "a fleet of several people is their Unix group's: `id` shows yours"
        raise BadInput(f"{error.filename} is not for this account", remedy) from None
    except (OSError, ValueError) as error:
        raise BadInput(f"no folder can be called {str(begin)[:80]!r}: {error.args[-1]}") from None
    raise BadInput(
        f"no {CONFIG} in {begin} or above it", "make a fleet folder with `evc init DIR`, or -C DIR"
    )


def join(group: str, folder: Path) -> None:
    """Make an empty `folder` a Unix group's: what is made in it will be too; raises BadInput."""
    try:
        shutil.chown(folder, group=group)
        folder.chmod(0o2770)
    except LookupError:
        raise BadInput(f"there is no Unix group {group[:80]!r}", "sudo groupadd it") from None
    except OSError as error:
        why = f"{folder} cannot be given to the group {group}: {error.strerror}"
        raise BadInput(why, "be one of the group (`id`), or use sudo") from None


def work_together(folder: Path) -> None:
    """In a group's folder, let what this process makes be the group's to change."""
    if is_shared(folder):
        os.umask(0o007)


def is_shared(folder: Path) -> bool:
    """Whether a folder is a Unix group's, and nobody else's."""
    return folder.stat().st_mode & (stat.S_ISGID | 0o007) == stat.S_ISGID


def share() -> Path:
    """The folder that holds `playbooks/` and `db/`: inside the wheel, or the checkout."""
    packaged = Path(__file__).parent.parent / "share"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent.parent


def read_config(path: Path) -> str:
    """The text of a config file; refuses what anyone may write to, and what is not UTF-8."""
    try:
        if path.stat().st_mode & 0o002:
            raise BadInput(f"{path} can be changed by any user", f"chmod o-w {path}")
        with path.open("rb") as file:
            return file.read(MAX_CONFIG_BYTES).decode("utf-8")
    except FileNotFoundError:
        raise BadInput(f"{path} does not exist") from None
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{path} is not UTF-8 text (byte {error.start})", "save it as UTF-8"
        ) from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None


def read_private(path: Path) -> str:
    """The text of a secret's file; refuses one that others may read."""
    try:
        mode = path.stat().st_mode
        group_too = is_shared(path.parent)
    except FileNotFoundError:
        raise BadInput(f"{path} does not exist") from None
    if mode & (0o007 if group_too else 0o077):
        raise BadInput(f"{path} can be read by other users", f"chmod 600 {path}")
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read as text: {error}") from None


def write_private(path: Path, text: str) -> None:
    """Write `text` as a 0600 file (0640 in a group's folder), whole or not at all."""
    replace(path, text, _private_mode(path.parent))


def replace(path: Path, text: str, mode: int = 0o644) -> None:
    """Write `text` to `path`, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def owned_like(path: Path, other: Path) -> None:
    """Give `path` to who owns `other`, where EVC may: a container as that account reads it then."""
    if os.geteuid() == 0:
        owner = other.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def private_folder(folder: Path) -> Path:
    """`folder`, made for its owner alone; in a group's folder for the group."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o770 if is_shared(folder.parent) else 0o700, exist_ok=True)
    return folder


def _private_mode(folder: Path) -> int:
    return 0o640 if is_shared(folder) else 0o600


def _command() -> str:
    return " ".join(["evc", *sys.argv[1:]])[:200]


def _holder(path: str, target: str) -> tuple[str, str]:
    try:
        holder = json.loads(Path(path).read_text())
        process = f"process {holder['pid']} of {holder['account']}"
        who = f"`{holder['command']}` ({process}, since {local_time(holder['at'])})"
    except (ValueError, KeyError, TypeError):
        who = "another command"
    return f"{target} is locked by {who}", "wait for it, or end that process"


def local_time(epoch: float) -> str:
    """Epoch seconds as local time with its zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(epoch))
