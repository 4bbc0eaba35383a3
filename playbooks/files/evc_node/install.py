"""This program's place on a node, and what only root can make ready for it, at registration."""

import os
import pwd
import stat
import sys
from pathlib import Path

import home


def main(arguments):
    """Put this program where EVC looks for it; as root, for USER, whose FOLDER… follow."""
    program = Path(sys.argv[0]).read_bytes()
    if arguments:
        _prepare(pwd.getpwnam(arguments[0]), arguments[1:])
    home.put(home.PROGRAM, program, 0o755)
    return 0


def _prepare(user, folders):
    """From then on as `user`: root writes nothing where another can put a link in its way."""
    _folder(home.HOME, user.pw_uid, user.pw_gid, 0o750)
    # So that a new registry address, or a removed CA, needs no sudo later.
    _folder(home.CERTS, 0, user.pw_gid, 0o2775)
    for folder in folders:
        _take_over(folder, user)
    os.initgroups(user.pw_name, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)


def _folder(path, uid, gid, mode):
    os.umask(0o022)  # whatever root's is: evc has to get through the folders above
    path.mkdir(parents=True, exist_ok=True)
    os.chown(str(path), uid, gid)
    path.chmod(mode)


def _take_over(folder, user):
    """One that somebody else made; EVC's program makes those that are not there."""
    try:
        found = os.lstat(folder)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(found.st_mode):
        sys.exit("%s is no folder: take it away" % folder)
    os.chown(folder, user.pw_uid, user.pw_gid, follow_symlinks=False)
