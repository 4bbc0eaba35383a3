"""How a command ended, for people and programs."""

from __future__ import annotations

from evc.cli import console
from evc.pure.names import printable
from evc.pure.outcomes import NodeOutcome, Outcome

_SAID = {
    "nothing": "Nothing to do: every node runs {release}.",
    "done": "Done: {release}.",
    "partial": "Partly done: {release}. `evc run` again goes on with the rest.",
    "failed": "Failed: {release}.",
}


_SAID_OF_NODES = {
    "nothing": "Nothing to do.",
    "done": "Done.",
    "partial": "Partly done. The same command again goes on with the rest.",
    "failed": "Failed.",
}


def show(outcome: Outcome, output: str) -> int:
    """Show an outcome; the command's exit code."""
    if output == "json":
        console.show_json(outcome.as_json())
        return int(outcome.exit)
    rows = [_row(name, one) for name, one in sorted(outcome.nodes.items())]
    console.show_table(("NODE", "OUTCOME", "SECONDS", "WHAT WAS DONE"), rows, "No nodes.")
    for name, one in sorted(outcome.nodes.items()):
        _show_problem(name, one)
    for name, one in sorted(outcome.nodes.items()):
        if one.url:
            console.say(f"Activated at : {one.url} ({name})")
    said = _SAID if outcome.release else _SAID_OF_NODES
    console.say(said[outcome.word].format(release=outcome.release))
    return int(outcome.exit)


def _row(name: str, one: NodeOutcome) -> tuple[str, str, str, str]:
    done = ", ".join(one.actions) if one.actions else "-"
    return name, one.outcome, f"{one.seconds:.1f}", done


def _show_problem(name: str, one: NodeOutcome) -> None:
    for warning in one.warnings:
        console.say(f"{name}: warning: {printable(warning)}")
    if one.reason:
        console.say(f"{name}: {printable(one.reason)}")
    for line in one.logs.splitlines()[-20:]:
        console.say(f"{name} | {printable(line)}")
