"""The config that `evc init --project` writes loads, also with its commented keys."""

from __future__ import annotations

import re

import pytest

from evc.pure import project_file, schema
from evc.pure.config import ProjectConfig


def read(text: str) -> ProjectConfig:
    return schema.read(text, "myEVCconfig.yaml", ProjectConfig)


@pytest.mark.parametrize(
    ("files", "packed", "mode", "command"),
    [
        (["Dockerfile", "model.tar.gz"], ["app.py"], "gradio", "app.py"),
        (["Dockerfile", "model.tar.gz"], ["run.py"], "flask", "run.py"),
        (["app.py", "requirements.txt"], [], "gradio", "app.py"),
        (["main.c"], [], "http", "app.py"),
    ],
)
def test_it_knows_what_the_folder_holds(
    files: list[str], packed: list[str], mode: str, command: str
) -> None:
    found = read(project_file.text("My Model!", files, packed))
    assert (found.model_name, found.version) == ("my-model", "0.1")
    assert (found.serve.mode, found.serve.command[1]) == (mode, command)
    own = "requirements.txt" in files and "Dockerfile" not in files
    assert found.requirements == ("requirements.txt" if own else None)


def test_every_commented_key_is_a_key() -> None:
    text = project_file.text("eye", ["app.py"], [])
    loosened = re.sub(r"^( *)# (?= *(?:[a-z_]+:( |$)|- ))", r"\1", text, flags=re.MULTILINE)
    found = read(loosened)
    assert found.target["shop"][0].app == "192.0.2.10:7860"
    assert found.serve.root and found.serve.writable and found.serve.predict == "/predict"
    assert found.tests.command and found.packages == ["libgl1"] and found.weights


@pytest.mark.parametrize(
    ("folder", "name"), [("얼굴", "my-model"), ("Face_Detect.v2", "face_detect.v2"), ("-a-", "a")]
)
def test_a_folders_name_as_a_models(folder: str, name: str) -> None:
    assert project_file.model_name(folder) == name
