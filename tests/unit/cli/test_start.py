"""Every command says how it is used, and `evc --help` starts without the heavy libraries."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from evc import cli

ROOT = Path(__file__).parent.parent.parent.parent
HEAVY = ("ansible_runner", "docker", "asyncssh", "pydantic", "rich", "apsw", "httpx")


def commands(command: click.Command, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield words
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None, name
            yield from commands(found, (*words, name))


def found(words: tuple[str, ...]) -> click.Command:
    command: click.Command = cli.evc
    for word in words:
        assert isinstance(command, click.Group)
        inner = command.get_command(click.Context(command), word)
        assert inner is not None
        command = inner
    return command


ALL = list(commands(cli.evc, ()))


def evc(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-X", "importtime", "-m", "evc", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("words", ALL, ids=lambda words: " ".join(("evc", *words)))
def test_every_command_says_what_it_does_and_shows_an_example(words: tuple[str, ...]) -> None:
    command = found(words)
    text = command.get_help(click.Context(command))
    assert "Example:" in text
    assert " ".join(("evc", *words)) in text.partition("Example:")[2]
    assert command.help and not command.help.startswith("Example")


@pytest.mark.parametrize("words", ALL, ids=lambda words: " ".join(("evc", *words)))
def test_every_option_is_explained(words: tuple[str, ...]) -> None:
    options = [one for one in found(words).params if isinstance(one, click.Option)]
    assert [one.name for one in options if not one.help and not one.hidden] == []


def test_the_list_of_commands_is_of_those_there_are() -> None:
    modules = {path.stem for path in (ROOT / "evc" / "cli").glob("*.py")}
    assert set(cli.COMMANDS) <= modules
    assert all(name in cli.COMMANDS for name in cli.ALIASES.values())


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",), ("--version",)])
def test_help_starts_without_the_heavy_libraries(words: tuple[str, ...]) -> None:
    done = evc(*words)
    assert "evc" in done.stdout + done.stderr
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "click" in imported
    assert sorted(imported & set(HEAVY)) == []


def test_an_unknown_command_is_bad_input() -> None:
    assert evc("regsiter").returncode == 2


def test_an_alias_is_the_command() -> None:
    assert "evc node add" in evc("host", "--help").stdout
