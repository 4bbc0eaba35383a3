"""`evc model`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from evc.cli import completion, console, progress
from evc.doors.store import Store
from evc.pure.errors import BadInput
from evc.runbooks import audit, projects, registry, releases
from evc.runbooks import build as builds
from evc.runbooks import nodes as inventory
from evc.runbooks.releases import Built


@click.group()
def command() -> None:
    """Build models and list their releases.

    \b
    Example:
      evc model build ~/my-model --on shop
      evc model list
    """


@command.command()
@click.argument("project", default=".")
@click.option("--platform", "named", multiple=True, help="amd64, arm64 … (may be repeated).")
@click.option("--emulate", is_flag=True, help="Where no builder is native: by qemu, slowly.")
@console.on_option
@console.output_option
@click.pass_obj
def build(
    folder: str | None,
    project: str,
    named: tuple[str, ...],
    emulate: bool,
    selector: str | None,
    output: str,
) -> Any:
    """Build PROJECT for the platforms of the selected nodes, or for those named.

    PROJECT is a folder or a git URL; or MODEL:VERSION, a release that gains the platforms it lacks.

    \b
    Example:
      evc model build examples/face-detect --platform amd64
      evc model build face-detect:1.0 --platform arm64
      evc model build face-detect:1.0 --platform arm64 --emulate
    """
    fleet, opening = console.opened(folder)
    if selector is None and not named:
        raise BadInput("for which platforms?", "--on SELECTOR or --platform amd64")
    command = f"model build {project[:200]}"
    with opening as opened, progress.shown() as shown, audit.failures(opened, command):
        chosen = inventory.selected(opened, selector) if selector is not None else []
        registry.ensure(fleet, shown.say)
        found = None if Path(project).exists() else _release_named(opened, project)
        if found:
            wanted = builds.platforms_for(found.project, chosen, named)
            made = builds.add(fleet, opened, found, wanted, shown, emulate)
        else:
            with projects.found(project, shown) as place:
                read = projects.read(fleet, place)
                wanted = builds.platforms_for(read.config, chosen, named)
                read = projects.planned(fleet, read, wanted)
                made = builds.build(fleet, opened, read, shown, emulate)
        if made.fresh:
            release = made.built.release
            audit.record(opened, f"model build {release.model} {release.label}", {}, "done")
        for problem in made.problems.values():
            raise problem
    _show_built(made.built, made.fresh, output)
    return 0


def _release_named(opened: Store, text: str) -> Built | None:
    """The release that MODEL or MODEL:VERSION means, None for what can only be a git URL."""
    model, _, version = text.partition(":")
    return None if "/" in text else releases.newest(opened, model, version or None)


def _show_built(built: Built, fresh: Sequence[str], output: str) -> None:
    digests = {name: image.digest for name, image in built.images.items()}
    if output == "json":
        console.show_json({"release": built.release.label, "built": list(fresh), "images": digests})
        return
    rows = [
        (name, "built" if name in fresh else "there already", digest)
        for name, digest in digests.items()
    ]
    console.show_table(("PLATFORM", "", "DIGEST"), rows, "Nothing built.")


@command.command("list")
@console.output_option
@click.pass_obj
def list_releases(folder: str | None, output: str) -> Any:
    """All releases, newest first.

    \b
    Example:
      evc model list -o json
    """
    return _show_releases(folder, None, output)


@command.command()
@click.argument("model", shell_complete=completion.models)
@console.output_option
@click.pass_obj
def show(folder: str | None, model: str, output: str) -> Any:
    """The releases of one model.

    \b
    Example:
      evc model show face-detect
    """
    return _show_releases(folder, model, output)


def _show_releases(folder: str | None, model: str | None, output: str) -> int:
    _, opening = console.opened(folder)
    with opening as opened:
        if model is not None:
            releases.newest(opened, model)  # says so when there is none
        found = [_release(row) for row in releases.everything(opened, model)]
    if output == "json":
        console.show_json(found)
        return 0
    rows = [
        (
            one["model"],
            one["release"],
            one["state"],
            ",".join(one["images"]),
            f"{(one['size_bytes'] or 0) / 1e6:.0f} MB",
            console.local_time(one["built_at"]),
        )
        for one in found
    ]
    columns = ("MODEL", "RELEASE", "STATE", "PLATFORMS", "SIZE", "BUILT")
    console.show_table(columns, rows, "No releases yet: evc run PROJECT")
    return 0


def _release(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": row["model"],
        "version": row["version"],
        "release": f"{row['version']}+{row['hash'][:12]}",
        "commit": row["git_commit"],
        "state": row["state"],
        "images": json.loads(row["images"]),
        "size_bytes": row["size_bytes"],
        "built_at": row["built_at"],
    }
