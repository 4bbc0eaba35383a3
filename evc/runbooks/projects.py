"""Read a project: its config, its files, and how they become an image for each platform."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from evc.doors import archives, git
from evc.doors import docker as engine
from evc.doors import project as folders
from evc.doors.fleet import Fleet
from evc.pure import dockerfiles, images, layout, preflight, schema, sources
from evc.pure.config import ProjectConfig
from evc.pure.errors import BadInput
from evc.pure.images import Content, File, Recipe
from evc.pure.platforms import PLAIN
from evc.runbooks import registry
from evc.runbooks.progress import Progress
from evc.runbooks.registry import bases


@dataclass(frozen=True)
class Place:
    """A project's folder on this machine, what to call it (a folder or a git URL), its commit."""

    folder: Path
    source: str
    commit: str


@dataclass(frozen=True)
class Project:
    """A project as read: config, files, its own Dockerfile or ''; and what is wanted of it.

    A recipe for each platform, once these are known.
    """

    place: Place
    config: ProjectConfig
    files: tuple[File, ...]
    dockerfile: str = ""
    warnings: tuple[str, ...] = ()
    recipes: Mapping[str, Recipe] = field(default_factory=dict)

    @property
    def content(self) -> Content:
        found = {platform: recipe.hash for platform, recipe in self.recipes.items()}
        shared = images.content_hash(self.files, self.config.settings)
        return Content(self.config.model_name, self.config.version, shared, found)


@contextlib.contextmanager
def found(text: str, progress: Progress) -> Iterator[Place]:
    """The project that `text` names: a folder, or a git URL that is fetched for the while."""
    source = sources.parse(text)
    if not source.url:
        folder = Path(source.path).absolute()
        yield Place(folder, str(folder), git.commit_of(folder))
        return
    with tempfile.TemporaryDirectory(prefix="evc-project-") as temporary:
        progress.say(f"fetching {source.url}")
        folder = Path(temporary) / "project"
        yield Place(folder, text, git.fetch(source, folder))


def read_config(folder: Path) -> ProjectConfig:
    """A project's config; raises BadFile with all its problems."""
    name = str(folder / layout.CONFIG)
    return schema.read(folders.config_text(folder), name, ProjectConfig)


def read(fleet: Fleet, place: Place) -> Project:
    """A project as a value; raises BadInput for one that is wrong. Nothing is contacted."""
    folder, config = place.folder, read_config(place.folder)
    excluded = [*folders.ignored(folder), *layout.EXCLUDED]  # the last word is EVC's
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
    return Project(place, config, tuple(files), own, _checked(fleet, config, own) if own else ())


def planned(fleet: Fleet, project: Project, platforms: Collection[str]) -> Project:
    """The project with how it is built for `platforms`; the registry is asked for base images."""
    made = {one: _recipe(fleet, project, one) for one in sorted(platforms)}
    return replace(project, recipes=made)


def _checked(fleet: Fleet, config: ProjectConfig, own: str) -> tuple[str, ...]:
    """What is odd in a Dockerfile, as warnings; raises BadInput for what is refused."""
    texts = {one: _text(config, own, one) for one in ["", *config.platforms]}
    each = [
        preflight.doubts(text, config.platforms.get(platform, PLAIN).args)
        for platform, text in texts.items()
    ]
    found = list(dict.fromkeys(doubt for doubts in each for doubt in doubts))
    strict = fleet.config().policy == "strict"
    if refused := [one for one in found if one.refused or strict]:
        lines = "\n".join(one.what for one in refused)
        raise BadInput(lines, "; ".join(dict.fromkeys(one.remedy for one in refused)))
    return tuple(f"{one.what} ({one.remedy})" for one in found)


def _text(config: ProjectConfig, own: str, platform: str) -> str:
    try:
        return images.platform_dockerfile(config, own, platform)
    except ValueError as error:
        where = f"platforms: {platform}: base"
        raise BadInput(f"{where}: {error}", "say in `base:` which image it replaces") from None


def _recipe(fleet: Fleet, project: Project, platform: str) -> Recipe:
    text = _text(project.config, project.dockerfile, platform)
    variant = project.config.platforms.get(platform, PLAIN)
    digests = bases.digests(registry.load(fleet), images.bases(text), platform)
    return Recipe(text, variant.args, digests)


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
