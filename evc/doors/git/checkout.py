"""Asking a checkout for its commit, without running anything that it configures."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from evc.doors.git.process import query, settings
from evc.pure.errors import EvcError

# Settings of a repository that decide when a file counts as changed, and run nothing.
_HARMLESS = ("core.filemode", "core.autocrlf", "core.eol", "core.symlinks", "core.ignorecase",
             "core.trustctime", "core.checkstat")  # fmt: skip
_STATUS = ("status", "--porcelain", "--untracked-files=no", "--ignore-submodules=all",
           "--no-renames")  # fmt: skip


def commit_of(folder: Path) -> str:
    """The commit that `folder` is checked out at, `+dirty` behind it when tracked files differ.

    '' when there is none, or when git does not trust the folder. Nothing that the repository
    configures is run: files are compared by a git folder of our own, without its settings.
    """
    try:
        options = ("--path-format=absolute", "--show-toplevel", "--git-dir", "--git-common-dir")
        places = query(folder, ["rev-parse", *options, "HEAD"]).splitlines()
        if len(places) != 4:
            return ""
        same = _comparison_settings(folder)
        with _bare_view(*places) as variables:
            # A folder that HEAD does not hold, such as one that git ignores, has no commit.
            if not query(folder, ["rev-parse", "--verify", "--quiet", "HEAD:./"], variables):
                return ""
            changed = query(folder, [*same, *_STATUS, "--", "."], variables)
    except (OSError, EvcError):
        return ""
    return f"{places[3]}+dirty" if changed else places[3]


def _comparison_settings(folder: Path) -> list[str]:
    found = settings(folder)
    return [word for key, value in found if key in _HARMLESS for word in ("-c", f"{key}={value}")]


@contextlib.contextmanager
def _bare_view(top: str, git_folder: str, common: str, commit: str) -> Iterator[dict[str, str]]:
    """Variables for a git folder with a repository's objects and index, and none of its settings.

    Its own could name programs: fsmonitor, filters, textconv, or a remote that fills in objects.
    """
    with tempfile.TemporaryDirectory(prefix="evc-git-") as name:
        view = Path(name)
        (view / "refs").mkdir()
        (view / "HEAD").write_text(f"{commit}\n")
        for shared in Path(git_folder).glob("sharedindex.*"):
            (view / shared.name).symlink_to(shared)
        yield {
            "GIT_DIR": name,
            "GIT_WORK_TREE": top,
            "GIT_OBJECT_DIRECTORY": str(Path(common) / "objects"),
            "GIT_INDEX_FILE": str(Path(git_folder) / "index"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
        }
