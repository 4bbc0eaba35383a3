"""Releases in the database: what was built, and finding it again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from evc.doors.store import Row, Store
from evc.pure import names, platforms
from evc.pure.config import ProjectConfig
from evc.pure.errors import BadInput
from evc.pure.images import Content, Release
from evc.pure.inventory import Node


@dataclass(frozen=True)
class Image:
    """A release's image for one platform."""

    platform: str
    repository: str
    tag: str
    digest: str
    size_bytes: int
    recipe: str


@dataclass(frozen=True)
class Built:
    """A release with its images and the config it was built with.

    `content` is the hash of what its images share, `source` and `commit` where that came from.
    """

    id: int
    release: Release
    content: str
    source: str
    commit: str
    project: ProjectConfig
    images: Mapping[str, Image]

    def platform(self, node: Node) -> str:
        """What a node needs an image for; '' as long as nothing is known of it."""
        return platforms.of_node(self.project.platforms, node.selectable)

    def url(self, node: Node) -> str:
        """Where people reach the model on a node; '' without a port, or where nobody dials."""
        serve = self.project.on(node.name).serve
        host = node.dialled if serve.listen == "0.0.0.0" else serve.listen
        app = self.project.app_on(node.name) or (f"{host}:{serve.published}" if host else "")
        return f"http://{app}" if serve.port and app else ""


def find(store: Store, content: Content) -> Built | None:
    """The newest release of this content, or None.

    Platforms that it lacks it may gain; one that it has must be made by the same recipe.
    """
    return next((one for one in _of(store, content) if not changed(one, content)), None)


def _of(store: Store, content: Content) -> list[Built]:
    rows = store.rows(
        "SELECT * FROM release WHERE model = ? AND version = ? AND content = ?"
        " ORDER BY built_at DESC, id DESC",
        (content.model, content.version, content.hash),
    )
    return [_built(store, row) for row in rows]


def changed(built: Built, content: Content) -> list[str]:
    """The platforms among the content's for which `built` has an image of another recipe."""
    return [
        platform
        for platform, recipe in content.recipes.items()
        if platform in built.images and built.images[platform].recipe != recipe
    ]


def by_id(store: Store, release_id: int) -> Built:
    row = store.row("SELECT * FROM release WHERE id = ?", (release_id,))
    assert row is not None
    return _built(store, row)


def labelled(store: Store, model: str, label: str) -> Built | None:
    """The release of `model` that people see as `label`, or None."""
    row = store.row(
        "SELECT * FROM release WHERE model = ? AND version || '+' || substr(hash, 1, 12) = ?",
        (model, label),
    )
    return _built(store, row) if row else None


def everything(store: Store, model: str | None = None) -> list[Row]:
    """All releases, newest first."""
    return store.rows(
        "SELECT release.*, (SELECT json_group_object(platform, digest) FROM release_image"
        " WHERE release_id = release.id) AS images, (SELECT max(size_bytes) FROM release_image"
        " WHERE release_id = release.id) AS size_bytes FROM release"
        " WHERE ? IS NULL OR model = ? ORDER BY built_at DESC",
        (model, model),
    )


def newest(store: Store, model: str, version: str | None = None) -> Built:
    """The release built last of MODEL or MODEL:VERSION; raises BadInput when there is none."""
    _checked(names.model_name, model)
    if version is not None:
        _checked(names.version, version.partition("+")[0])
    row = store.row(
        "SELECT * FROM release WHERE model = ? AND (? IS NULL OR version = ?"
        " OR version || '+' || substr(hash, 1, 12) = ?) ORDER BY built_at DESC, id DESC LIMIT 1",
        (model, version, version, version),
    )
    if row is None:
        wanted = f"{model}:{version}" if version else model
        raise BadInput(f"there is no release of {wanted}", "`evc model list` shows what there is")
    return _built(store, row)


def _checked(check: Callable[[str], str], text: str) -> None:
    try:
        check(text)
    except ValueError as error:
        raise BadInput(str(error), "`evc model list` shows what there is") from None


def record(
    store: Store, content: Content, project: ProjectConfig, source: str, commit: str
) -> Built:
    """Note a release, unless it is there; raises BadInput for a frozen version."""
    return find(store, content) or anew(store, content, project, source, commit)


def anew(store: Store, content: Content, project: ProjectConfig, source: str, commit: str) -> Built:
    """Note a release beside those of the same content; raises BadInput for a frozen version."""
    release = content.release(len(_of(store, content)))
    frozen = store.row(
        "SELECT 1 FROM release WHERE model = ? AND version = ? AND state = 'approved'",
        (release.model, release.version),
    )
    if frozen:
        raise BadInput(
            f"{release.model} {release.version} is approved: its content cannot change",
            "give the project a new version",
        )
    store.write(
        "INSERT INTO release (model, version, hash, content, source, git_commit, owner, task,"
        " config, built_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            release.model,
            release.version,
            release.hash,
            content.hash,
            source,
            commit,
            project.owner or "",
            project.task or "",
            project.model_dump_json(),
            time.time(),
        ),
    )
    made = find(store, content)
    assert made is not None
    return made


def keep_config(store: Store, release_id: int, project: ProjectConfig) -> None:
    """Note for whom a release is meant now: groups, targets and owner are no part of its hash."""
    store.write(
        "UPDATE release SET config = ?, owner = ? WHERE id = ?",
        (project.model_dump_json(), project.owner or "", release_id),
    )


def record_image(store: Store, release_id: int, image: Image, built_on: str) -> None:
    """Note an image; a digest that is there already must be the same."""
    store.write(
        "INSERT INTO release_image VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (release_id, platform) DO UPDATE SET digest = excluded.digest",
        (
            release_id,
            image.platform,
            image.repository,
            image.tag,
            image.digest,
            image.size_bytes,
            built_on,
            time.time(),
            image.recipe,
        ),
    )


def _built(store: Store, row: dict[str, Any]) -> Built:
    images = store.rows("SELECT * FROM release_image WHERE release_id = ?", (row["id"],))
    return Built(
        row["id"],
        Release(row["model"], row["version"], row["hash"]),
        row["content"],
        row["source"],
        row["git_commit"],
        ProjectConfig.model_validate_json(row["config"]),
        {
            one["platform"]: Image(
                one["platform"],
                one["repository"],
                one["tag"],
                one["digest"],
                one["size_bytes"],
                one["recipe"],
            )
            for one in images
        },
    )
