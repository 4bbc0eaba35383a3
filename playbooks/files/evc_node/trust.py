"""What makes a node this fleet's: EVC's key, the registry's CA and login, the marks of its own."""

import json
import os

import home


def main(arguments):
    """Write {"key", "login", "ca": {HOST:PORT: text}, "marks": {name: text}}; say if any is new.

    Without a key, or a login, the one that is there stays.
    """
    order = home.order(arguments)
    _folder(home.DOCKER_CONFIG, 0o700)
    for host in order["ca"]:
        _folder(home.CERTS / host, 0o755)
    files = [(home.CERTS / host / "ca.crt", text, 0o644) for host, text in order["ca"].items()]
    files += [(home.HOME / name, text, 0o644) for name, text in order["marks"].items()]
    if order["login"]:
        files.append((home.DOCKER_CONFIG / "config.json", order["login"], 0o600))
    if order["key"]:
        _folder(home.HOME / ".ssh", 0o700)
        files.append((home.HOME / ".ssh" / "authorized_keys", order["key"] + "\n", 0o600))
    changed = [path for path, text, mode in files if _file(path, text, mode)]
    print(json.dumps({"changed": bool(changed)}))
    return 0


def _folder(path, mode):
    """Its mode is ours to say where it is ours."""
    path.mkdir(mode=mode, parents=True, exist_ok=True)
    found = path.stat()
    if found.st_uid == os.getuid() and found.st_mode & 0o777 != mode:
        path.chmod(mode)


def _file(path, text, mode):
    """Whether it was another, or none; to the byte, as its digest is compared."""
    data = text.encode("utf-8", "surrogateescape")
    changed = not _is(path, data, mode)
    if changed:
        home.replace(path, data, mode)
    return changed


def _is(path, data, mode):
    try:
        found = path.stat()
        ours = (found.st_uid, found.st_mode & 0o777) == (os.getuid(), mode)
        return ours and path.read_bytes() == data
    except OSError:
        return False
