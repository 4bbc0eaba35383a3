"""A hostile project: its texts are links out, huge or no text; its Dockerfile names odd bases."""

from __future__ import annotations

from pathlib import Path

import pytest

from evc.doors import project
from evc.pure import images
from evc.pure.errors import BadInput

READERS = {
    "myEVCconfig.yaml": project.config_text,
    "Dockerfile": project.dockerfile,
    ".dockerignore": project.ignored,
}


@pytest.mark.parametrize("name", READERS)
def test_a_link_out_is_not_read(tmp_path: Path, name: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("root:x:0")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / name).symlink_to(secret)
    with pytest.raises(BadInput, match="no file of the project"):
        READERS[name](folder)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    ("data", "said"), [(b"#" * 1_000_001, "larger than"), (b"\xff\xfe", "not UTF-8")]
)
def test_what_is_no_small_text_is_refused(
    tmp_path: Path, name: str, data: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BadInput, match=said):
        READERS[name](tmp_path)


def test_a_file_that_leads_out_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights").symlink_to("/etc/passwd")
    with pytest.raises(BadInput, match="leads out"):
        project.files(tmp_path, ["weights"])


def test_a_git_lfs_pointer_is_not_taken_for_weights(tmp_path: Path) -> None:
    (tmp_path / "w.onnx").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(BadInput, match="git lfs pull"):
        project.files(tmp_path, ["w.onnx"])


@pytest.mark.parametrize(
    ("text", "names", "pinned"),
    [
        ("FROM python\n", ["python"], "FROM X\n"),
        ("from rom\n", ["rom"], "from X\n"),
        ("FROM --platform=linux/amd64 a:1 AS b\nFROM b\n", ["a:1"], None),
        ("FROM scratch\nCOPY --chown=1 --from=tool:2 /x /y\n", ["tool:2"], None),
        ("ARG V\nFROM python:$V\nCOPY --from=0 /x /y\n", [], None),
    ],
)
def test_bases_of_a_dockerfile(text: str, names: list[str], pinned: str | None) -> None:
    assert images.bases(text) == names
    if pinned:
        assert images.with_bases(text, dict.fromkeys(names, "X")) == pinned
