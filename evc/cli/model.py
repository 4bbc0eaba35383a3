"""`evc model`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from evc.cli import console, progress
from evc.doors import git
from evc.pure import images
from evc.pure.errors import BadInput
from evc.runbooks import build as builds
from evc.runbooks import nodes as inventory
from evc.runbooks import projects, registry, releases


@click.group()
def command() -> None:
    """Build models and list their releases.

    \b
    Example:
      evc model build ~/my-model --on shop
      evc model list
    """


@command.command()
@click.argument("project", default=".", type=click.Path(path_type=Path, exists=True))
@click.option("--platform", "platforms", multiple=True, help="amd64, arm64 … (may be repeated).")
@console.on_option
@console.output_option
@click.pass_obj
def build(
    folder: str | None,
    project: Path,
    platforms: tuple[str, ...],
    selector: str | None,
    output: str,
) -> Any:
    """Build PROJECT for the platforms of the selected nodes, or for those named.

    \b
    Example:
      evc model build examples/face-detect --platform amd64
    """
    fleet, opening = console.opened(folder)
    with opening as opened, progress.shown() as shown:
        wanted = set(platforms)
        if selector is not None:
            chosen = inventory.selected(opened, selector)
            wanted |= {images.platform(node.architecture) for node in chosen if node.edge}
        if not wanted:
            raise BadInput("for which platforms?", "--on SELECTOR or --platform amd64")
        registry.ensure(fleet, shown.say)
        read = projects.read(fleet, project.absolute(), str(project), git.commit_of(project))
        built, fresh = builds.build(fleet, opened, read, wanted, shown)
    done = {"release": built.release.label, "built": fresh, "images": _digests(built)}
    if output == "json":
        console.show_json(done)
    else:
        rows = [
            (name, "built" if name in fresh else "there already", digest)
            for name, digest in _digests(built).items()
        ]
        console.show_table(("PLATFORM", "", "DIGEST"), rows, "Nothing built.")
    return 0


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
@click.argument("model")
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


def _digests(built: releases.Built) -> dict[str, str]:
    return {name: image.digest for name, image in built.images.items()}
