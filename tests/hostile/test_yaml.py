"""Hostile and mistaken YAML: exit 2 with file, line and key; nothing is run or contacted."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from evc.pure import schema
from evc.pure.config import ProjectConfig, ServerConfig
from evc.pure.errors import BadFile
from tests.hostile.controller import Controller, settled

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGE_BOMB = "a: &a {x: 1}\n" + "".join(
    f"{name}: &{name} {{<<: [{', '.join([f'*{before}'] * 9)}]}}\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
HOSTILE = {
    "object": ("a: 1\nb: !!python/object/apply:os.system ['touch RAN']", "2: -: tag"),
    "object, another spelling": (
        "%TAG !e! tag:yaml.org,2002:python/\n---\n!e!object/apply:os.system ['touch RAN']",
        "3: -: tag",
    ),
    "object, verbatim": ("!<tag:yaml.org,2002:python/name:os.system> x", "1: -: tag"),
    "own tag": ("a: !secret x", "1: -: tag"),
    "alias bomb": (BOMB, "aliases expand to too much"),
    "merge bomb": (MERGE_BOMB, "aliases expand to too much"),
    "alias of itself": ("a: &a [*a]", "aliases expand to too much"),
    "merge of itself": ("a: &a {<<: *a}", "aliases expand to too much"),
    "nested lists": ("a: " + "[" * 5000, "1: -: nested deeper"),
    "nested mappings": ("{a: " * 5000, "1: -: nested deeper"),
    "nested by indents": ("- " * 5000, "1: -: nested deeper"),
    "nested keys": ("? " * 5000, "1: -: nested deeper"),
    "very many values": ("a: [" + "x," * 400_000 + "]", "more than 50,000 values"),
    "very many documents": ("---\n" * 200_000, "more than 50,000 values"),
    "very large": ("#" * 1_000_001, "1: -: larger than 1,000,000 characters"),
    "same key twice": ("x: 1\nx: 2\n", "2: x: key given twice"),
    "control character": ("a: \x07", "1: -: not YAML"),
    "terminal escape in a key": ('"\\e[2J": 1', "1: -: key is not text"),
    "number too large to be a letter": ('a: "\\UFFFFFFFF"', "1: -: not YAML"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_refused_soon_and_without_running_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    text, said = HOSTILE[name]
    began = time.process_time()
    for kind in (ServerConfig, ProjectConfig):
        with pytest.raises(BadFile, match=said) as caught:
            schema.read(text, "f.yaml", kind)
        assert str(caught.value).startswith("f.yaml:")
        assert str(caught.value).replace("\n", "").isprintable()
        assert len(str(caught.value)) < 20_000
    assert time.process_time() - began < 15
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no: 1", "ServerConfig.yaml:1: no: unknown key"),
        (
            "builder:\n  - name: b\n    ip: h\n    port: 22:22",
            "ServerConfig.yaml:4: builder.0.port",
        ),
        ("builder:\n  - name: b\n    ip: h\n    port: 0x16", "ServerConfig.yaml:4: builder.0.port"),
        ("path:\n  dockerhub: nope", "ServerConfig.yaml:2: path.dockerhub"),
        ("autorum: []", "did you mean 'autorun'?"),
        (HOSTILE["object"][0], "ServerConfig.yaml:2:"),
        (BOMB, "aliases expand to too much"),
    ],
)
def test_the_fleets_file_ends_a_command_with_2(
    controller: Controller, text: str, said: str
) -> None:
    controller.fleet.config_file.write_text(text)
    code, output = controller.evc("run", "project", "--on", "all")
    assert (code, settled(controller.network)) == (2, 0), output
    assert said in output
    assert not list(Path.cwd().glob("RAN"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("on: 1", "3: on: unknown key"),
        ("serve: {port: 22:22}", "3: serve.port"),
        ("resources: {memory: 1e400}", "3: resources.memory"),
        ("resources: {cpus: .nan}", "3: resources.cpus"),
        ("serve: {start_period: 99999999999999999999}", "3: serve.start_period"),
    ],
)
def test_a_projects_file_ends_a_command_with_2(
    controller: Controller, text: str, said: str
) -> None:
    (controller.project / "myEVCconfig.yaml").write_text(f"model_name: eye\nversion: 1\n{text}")
    code, output = controller.evc("run", "project", "--on", "all")
    assert (code, settled(controller.network)) == (2, 0), output
    assert said in output


def test_the_program_itself_ends_with_2_and_no_trace(controller: Controller) -> None:
    controller.fleet.config_file.write_text(HOSTILE["object"][0])
    done = controller.program("run", "project", "--on", "all")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr and "ServerConfig.yaml:2:" in done.stderr


def test_versions_stay_text() -> None:
    for version in ("1.10", "1.0", "007", "no", "0x1F", "1_000", "1e3"):
        text = f"model_name: m\nversion: {version}\n"
        assert schema.read(text, "f", ProjectConfig).version == version
