"""Hostile repositories, servers and URLs, with real git and real HTTPS."""

from __future__ import annotations

import base64
import contextlib
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import psutil
import pytest

from evc.doors import git
from evc.doors.git import Limits
from evc.pure.errors import EvcError
from evc.pure.sources import Source
from tests.hostile.git_server import Respond, backend, ca, repository, run, serving

Serve = Callable[..., str]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user with no settings yet, who trusts the test's CA."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("GIT_SSL_CAINFO", str(ca(tmp_path)))


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start a server: of the repositories in `tmp_path/served`, or one that misbehaves."""
    with contextlib.ExitStack() as stack:

        def start(respond: Respond | None = None, login: str = "") -> str:
            chosen = respond or backend(tmp_path / "served", login)
            return stack.enter_context(serving(chosen, tmp_path))

        yield start


def settings(text: str) -> None:
    Path("~/.gitconfig").expanduser().write_text(text)


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize("ref", ["", "main", "v1", "refs/heads/main", "COMMIT"])
def test_checks_out_the_commit_that_a_ref_means(tmp_path: Path, serve: Serve, ref: str) -> None:
    served = tmp_path / "served" / "model"
    first = repository(served, {"code/app.py": "1"})
    run(served, "tag", "--annotate", "v1", "--message=x")
    second = repository(served, {"code/app.py": "2"})
    wanted = first if ref in ("v1", "COMMIT") else second
    url = f"{serve()}/model/.git"

    into = tmp_path / "work" / "project"
    commit = git.fetch(Source(url=url, ref=first if ref == "COMMIT" else ref), into)

    assert commit == wanted == git.commit_of(into)
    assert (into / "code" / "app.py").read_text() == ("1" if wanted == first else "2")
    assert run(into, "branch", "--show-current") == ""
    assert left_in(into.parent) == ["project"]


def test_a_ref_that_is_not_there_is_said_and_leaves_nothing(tmp_path: Path, serve: Serve) -> None:
    repository(tmp_path / "served" / "model", {"a": "1"})
    with pytest.raises(EvcError, match="v9") as caught:
        git.fetch(Source(url=f"{serve()}/model/.git", ref="v9"), tmp_path / "work" / "project")
    assert "branch" in caught.value.remedy
    assert left_in(tmp_path / "work") == []


def test_nothing_of_a_repository_or_of_the_users_settings_runs(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    inner, served = tmp_path / "served" / "inner", tmp_path / "served" / "model"
    repository(inner, {"inner.txt": "x"})
    repository(served, {".gitattributes": "* filter=evil", "a": "1"})
    url = serve()
    run(served, "-c", "http.sslVerify=false", "submodule", "add", f"{url}/inner/.git", "inner")
    repository(served, {"b": "2"})
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "post-index-change", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {ran}-{name}\n")
        (hooks / name).chmod(0o755)
    (tmp_path / "template").mkdir()
    (tmp_path / "template" / "hooks").symlink_to(hooks)
    settings(
        f'[filter "evil"]\n smudge = touch {ran}-smudge; cat\n clean = touch {ran}-clean; cat\n'
        f"[core]\n fsmonitor = touch {ran}-fsmonitor; false\n hooksPath = {hooks}\n"
        f"[init]\n templateDir = {tmp_path}/template\n[submodule]\n recurse = true\n"
        f'[protocol]\n allow = always\n[protocol "file"]\n allow = always\n'
    )
    monkeypatch.setenv("GIT_DIR", str(served / ".git"))
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(tmp_path / "template"))

    git.fetch(Source(url=f"{url}/model/.git"), tmp_path / "project")

    assert (tmp_path / "project" / "b").read_text() == "2"
    assert list((tmp_path / "project" / "inner").iterdir()) == []
    assert [path.name for path in tmp_path.glob("ran*")] == []


@pytest.mark.parametrize("ref", ["", "{repository}", "--upload-pack=touch {ran}"])
@pytest.mark.parametrize(
    "url",
    [
        "--upload-pack=touch {ran}",
        "ext::sh -c touch% {ran}",
        "file://{repository}",
        "{repository}",
        "ssh://-oProxyCommand=touch%20{ran}/x",
    ],
)
def test_what_looks_like_an_option_or_a_helper_is_inert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, ref: str
) -> None:
    """The door holds by itself, without `sources.parse` in front of it."""
    served, ran = tmp_path / "served", tmp_path / "ran"
    repository(served, {"a": "1"})
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "ext:file:https:ssh")
    settings('[protocol]\n allow = always\n[protocol "ext"]\n allow = always\n')
    source = Source(
        url=url.format(ran=ran, repository=served), ref=ref.format(ran=ran, repository=served)
    )
    with pytest.raises(EvcError):
        git.fetch(source, tmp_path / "work" / "project")
    assert not ran.exists()
    assert left_in(tmp_path / "work") == []


def hangs(request: BaseHTTPRequestHandler) -> None:
    threading.Event().wait(30)


def drips(request: BaseHTTPRequestHandler) -> None:
    """An endless answer: every byte is progress to a careless reader."""
    request.send_response(200)
    request.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
    request.end_headers()
    for piece in (b"001e# service=git-upload-pack\n0000", *[b"0"] * 300):
        request.wfile.write(piece)
        time.sleep(0.1)


def git_processes(url: str) -> list[int]:
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "status"])
        if url in " ".join(process.info["cmdline"] or [])
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


@pytest.mark.parametrize(
    ("respond", "limits", "said"),
    [
        (hangs, Limits(stall_seconds=1.0), "sent nothing for 1 s"),
        (drips, Limits(stall_seconds=60.0, seconds=2.0), "longer than 2 s"),
    ],
)
def test_a_server_that_stalls_or_never_ends_is_left_in_time(
    tmp_path: Path, serve: Serve, respond: Respond, limits: Limits, said: str
) -> None:
    url, began = f"{serve(respond)}/model", time.monotonic()
    with pytest.raises(EvcError, match=said):
        git.fetch(Source(url=url), tmp_path / "work" / "project", limits)
    assert time.monotonic() - began < 20
    assert git_processes(url) == []
    assert left_in(tmp_path / "work") == []


def test_an_interrupt_ends_git_and_leaves_nothing(tmp_path: Path, serve: Serve) -> None:
    url = f"{serve(hangs)}/model"
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    try:
        with pytest.raises(KeyboardInterrupt):
            git.fetch(Source(url=url), tmp_path / "work" / "project", Limits(seconds=10))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert git_processes(url) == []
    assert left_in(tmp_path / "work") == []


@pytest.mark.parametrize("count", [1, 3000], ids=["one large file", "many empty files"])
def test_a_repository_past_the_limit_is_stopped(tmp_path: Path, serve: Serve, count: int) -> None:
    text = random.Random(1).randbytes(2_000_000).hex() if count == 1 else ""
    repository(tmp_path / "served" / "model", {f"file{number}": text for number in range(count)})
    url = f"{serve()}/model/.git"
    with pytest.raises(EvcError, match=r"larger than 1,000,000 bytes") as caught:
        git.fetch(Source(url=url), tmp_path / "work" / "project", Limits(disk=1_000_000))
    assert caught.value.remedy
    assert left_in(tmp_path / "work") == []


def test_a_tree_of_a_billion_names_does_not_fill_memory(tmp_path: Path, serve: Serve) -> None:
    served = tmp_path / "served" / "model"
    repository(served, {"a": "1"})
    line, entry = "100644 blob {}\tn{}\n", run(served, "rev-parse", "HEAD:a")
    for _ in range(9):
        listing = "".join(line.format(entry, number) for number in range(10))
        entry = run(served, "mktree", stdin=listing)
        line = "040000 tree {}\tn{}\n"
    commit = run(served, "commit-tree", entry, "-m", "x")
    run(served, "update-ref", "refs/heads/main", commit)

    limits = Limits(memory=200_000_000, seconds=120.0, stall_seconds=120.0)
    with pytest.raises(EvcError, match=r"(?i)out of memory|malloc|allocate"):
        git.fetch(Source(url=f"{serve()}/model/.git"), tmp_path / "work" / "project", limits)
    assert left_in(tmp_path / "work") == []


def test_the_users_credential_helper_is_asked_and_nobody_else(tmp_path: Path, serve: Serve) -> None:
    commit = repository(tmp_path / "served" / "model", {"a": "1"})
    url = f"{serve(login=base64.b64encode(b'me:word').decode())}/model/.git"
    with pytest.raises(EvcError) as caught:
        git.fetch(Source(url=url), tmp_path / "first")
    assert "credential helper" in caught.value.remedy
    settings('[credential]\n helper = "!f() { echo username=me; echo password=word; }; f"\n')
    assert git.fetch(Source(url=url), tmp_path / "second") == commit


def test_what_a_server_says_is_shown_without_terminal_escapes(tmp_path: Path, serve: Serve) -> None:
    repository(tmp_path / "served" / "model", {"a": "1"})
    shout = tmp_path / "shout"
    shout.write_text("#!/bin/sh\ncat >/dev/null\nprintf '\\033[2Jgone\\n' >&2\nexit 1\n")
    shout.chmod(0o755)
    respond = backend(tmp_path / "served", pack_hook=shout)
    with pytest.raises(EvcError, match="gone") as caught:
        git.fetch(Source(url=f"{serve(respond)}/model/.git"), tmp_path / "project")
    assert str(caught.value).replace("\n", "").isprintable()


def test_what_is_wrong_on_this_machine_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, into = Source(url="https://127.0.0.1:1/a"), tmp_path / "work" / "project"
    settings("[broken")
    with pytest.raises(EvcError, match="bad config"):
        git.fetch(source, into)
    (tmp_path / "file").write_text("")
    with pytest.raises(EvcError, match="cannot be written"):
        git.fetch(source, tmp_path / "file" / "project")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EvcError, match="git is not installed"):
        git.fetch(source, into)
    assert git.commit_of(tmp_path) == ""
    assert left_in(tmp_path / "work") == []
