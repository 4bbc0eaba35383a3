"""Asking a local checkout for its commit: right, and without running what it configures."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from evc.doors.git import commit_of
from tests.hostile.git_server import repository, run


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    repository(tmp_path / "repo", {"model/app.py": "1", "other.txt": "1"})
    return tmp_path / "repo"


def head(folder: Path) -> str:
    return run(folder, "rev-parse", "HEAD")


def test_a_clean_checkout_and_a_folder_of_it_have_its_commit(checkout: Path) -> None:
    assert commit_of(checkout) == commit_of(checkout / "model") == head(checkout)


def test_files_that_only_look_changed_are_compared(checkout: Path) -> None:
    os.utime(checkout / "other.txt", (1, 1))
    (checkout / "untracked").write_text("x")
    assert commit_of(checkout) == head(checkout)


@pytest.mark.parametrize("change", ["content", "mode", "removed", "staged"])
def test_a_changed_tracked_file_makes_it_dirty(checkout: Path, change: str) -> None:
    file = checkout / "model" / "app.py"
    if change == "mode":
        file.chmod(0o755)
    elif change == "removed":
        file.unlink()
    else:
        file.write_text("2")
    if change == "staged":
        run(checkout, "add", "--all")
    assert commit_of(checkout / "model") == f"{head(checkout)}+dirty"


def test_a_change_elsewhere_in_the_repository_is_not_the_projects(checkout: Path) -> None:
    (checkout / "other.txt").write_text("2")
    assert commit_of(checkout / "model") == head(checkout)


def test_linked_work_trees_and_split_indexes_are_read(checkout: Path) -> None:
    run(checkout, "worktree", "add", "--quiet", "--detach", "../linked")
    run(checkout, "update-index", "--split-index")
    assert commit_of(checkout.parent / "linked") == commit_of(checkout) == head(checkout)


def test_file_modes_that_a_file_system_cannot_keep_are_left_aside(checkout: Path) -> None:
    run(checkout, "config", "core.fileMode", "false")
    (checkout / "other.txt").chmod(0o755)
    assert commit_of(checkout) == head(checkout)


def test_no_repository_no_commit_no_folder_and_what_git_ignores_have_none(checkout: Path) -> None:
    (checkout / "ignored").mkdir()
    empty = checkout.parent / "empty"
    empty.mkdir()
    run(empty, "init", "--quiet")
    for folder in (checkout.parent, checkout / "ignored", empty, checkout / "absent"):
        assert commit_of(folder) == ""


def test_a_folder_of_somebody_else_has_none(checkout: Path, tmp_path: Path) -> None:
    """Git refuses it (safe.directory), since its settings are that person's."""
    for path in (checkout, *checkout.rglob("*")):
        os.chown(path, 12345, 12345, follow_symlinks=False)
    assert commit_of(checkout) == ""


def test_an_outer_git_command_does_not_lead_it_elsewhere(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(tmp_path / "another", {"b": "1"})
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "another" / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "another" / ".git" / "index"))
    assert commit_of(checkout) == subprocess.run(
        ["git", "--git-dir", checkout / ".git", "rev-parse", "HEAD"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip


def test_nothing_that_the_repository_configures_is_run(checkout: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    repository(tmp_path / "inner", {"a": "1"})
    run(checkout, "submodule", "add", "--quiet", "../inner", "inner")
    (checkout / ".gitattributes").write_text("* filter=evil diff=evil\n")
    repository(checkout, {})
    hostile = {
        "core.fsmonitor": f"touch {ran}-fsmonitor; false",
        "core.hooksPath": str(tmp_path / "hooks"),
        "core.pager": f"touch {ran}-pager",
        "core.sshCommand": f"touch {ran}-ssh",
        "filter.evil.clean": f"touch {ran}-clean; cat",
        "filter.evil.process": f"touch {ran}-process; false",
        "diff.evil.textconv": f"touch {ran}-textconv; cat",
        "diff.external": f"touch {ran}-external",
        "alias.status": f"!touch {ran}-alias",
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": f"ext::sh -c touch% {ran}-promisor",
        "protocol.ext.allow": "always",
        "status.submoduleSummary": "true",
    }
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "post-index-change").write_text(f"#!/bin/sh\ntouch {ran}-hook\n")
    (tmp_path / "hooks" / "post-index-change").chmod(0o755)
    commit = head(checkout)
    for folder in (checkout, checkout / "inner"):
        for key, value in hostile.items():
            subprocess.run(["git", "config", key, value], cwd=folder, check=True)
        for file in folder.glob("*.txt"):
            os.utime(file, (1, 1))
    (checkout / "other.txt").write_text("2")

    assert commit_of(checkout) == f"{commit}+dirty"
    for broken in (checkout / ".git" / "objects").glob("??"):
        shutil.rmtree(broken)  # what is missing, a partial clone would ask its remote for
    commit_of(checkout)
    assert [path.name for path in tmp_path.glob("ran*")] == []
