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
    changed = [home.put(path, _bytes(text), mode) for path, text, mode in files]
    print(json.dumps({"changed": any(changed)}))
    return 0


def _folder(path, mode):
    """Its mode is ours to say where it is ours."""
    path.mkdir(mode=mode, parents=True, exist_ok=True)
    found = path.stat()
    if found.st_uid == os.getuid() and found.st_mode & 0o777 != mode:
        path.chmod(mode)


def _bytes(text):
    """As a company's CA may have any, whose digest is compared."""
    return text.encode("utf-8", "surrogateescape")
