"""Read a project folder: its config, its files, and the release they make."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from evc.doors import archives
from evc.doors import docker as engine
from evc.doors import project as folders
from evc.doors.fleet import Fleet
from evc.pure import dockerfiles, images, layout, schema
from evc.pure.config import ProjectConfig
from evc.pure.errors import BadInput
from evc.pure.images import File, Release
from evc.runbooks import registry
from evc.runbooks.registry import Registry
from evc.runbooks.registry import check as registry_check


@dataclass(frozen=True)
class Project:
    """A project as read: config, files, Dockerfile, and the release they make."""

    folder: Path
    source: str
    commit: str
    config: ProjectConfig
    files: tuple[File, ...]
    own_dockerfile: bool
    dockerfile: str
    bases: Mapping[str, str]

    @property
    def release(self) -> Release:
        text, config = self.dockerfile, self.config
        content = images.content_hash(self.files, text, self.bases, config.settings)
        return Release(config.model_name, config.version, content)


def read_config(folder: Path) -> ProjectConfig:
    """A project's config; raises BadFile with all its problems."""
    name = str(folder / layout.CONFIG)
    return schema.read(folders.config_text(folder), name, ProjectConfig)


def read(fleet: Fleet, folder: Path, source: str, commit: str) -> Project:
    """A project folder as a value; raises BadInput."""
    config = read_config(folder)
    excluded = [*layout.EXCLUDED, *folders.ignored(folder)]
    files = folders.files(folder, engine.context_files(folder, excluded))
    own = folders.dockerfile(folder)
    if not own and not config.serve.command:
        raise BadInput(f"{folder}: no Dockerfile and no serve.command", "say how it starts")
    paths = {file.path for file in files}
    if config.requirements and config.requirements not in paths:
        raise BadInput(f"{folder}: {config.requirements} (requirements) is not there")
    program = _program(config)
    # A Dockerfile's ADD would unpack them.
    inside = {
        path: archives.inspect(folder / path, [program])
        for path in sorted(paths)
        if path.endswith(layout.ARCHIVES)
    }
    if own and program and not config.serve.workdir:
        workdir = dockerfiles.folder_of(program, own, paths, inside)
        config = _started_in(config, workdir)
    text = own or images.dockerfile(config)
    bases = _base_digests(registry.load(fleet), images.bases(text))
    return Project(folder, source, commit, config, tuple(files), bool(own), text, bases)


def _program(config: ProjectConfig) -> str:
    """The project's own file that its command starts by a bare name: `app.py`, or ''."""
    words = [word for word in config.serve.command[1:] if word.endswith((".py", ".sh"))]
    return words[0] if words and "/" not in words[0] else ""


def _started_in(config: ProjectConfig, workdir: str) -> ProjectConfig:
    """The config with the folder its command starts in; '' leaves that to the image."""
    try:
        serve = config.serve.started_in(workdir)
    except ValueError:
        why = f"{workdir!r} is no folder to start in"
        raise BadInput(why, "rename it, or say `serve: {workdir: /…}`") from None
    return config.model_copy(update={"serve": serve})


def _base_digests(reg: Registry, names: Collection[str]) -> dict[str, str]:
    """Base image → its digest in the fleet's registry, for those that were brought in."""
    places = {name: images.library_name(name) for name in names}
    with registry_check.client(reg, "reader") as client:
        found = {name: client.head(*place) for name, place in places.items() if place[0]}
    return {name: digest for name, digest in found.items() if digest}
