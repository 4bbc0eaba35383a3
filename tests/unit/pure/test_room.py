"""Several models on one node: what does not fit is said before anything is touched."""

from __future__ import annotations

from typing import Any

from evc.pure.config import ProjectConfig
from evc.pure.room import problem

GIB = 1024**3


def project(port: int | None = 8000, memory: str = "1G", gpu: bool | str = False) -> ProjectConfig:
    serve: dict[str, Any] = {"port": port, "gpu": gpu, "command": ["x"]}
    keys = {"model_name": "eye", "version": "1", "serve": serve, "resources": {"memory": memory}}
    return ProjectConfig.model_validate(keys)


def test_two_models_with_ports_of_their_own_fit() -> None:
    assert problem(project(8000), {"ear": project(8001)}, 4 * GIB) == ""
    assert problem(project(None), {"ear": project(None)}, 0) == ""


def test_a_taken_port_names_its_holder_and_the_key() -> None:
    said = problem(project(8000), {"ear": project(8000)}, 4 * GIB)
    assert said.startswith("port 8000 is ear's there") and "publish" in said


def test_limits_of_memory_are_counted_together() -> None:
    others = {"ear": project(8001, "2G"), "nose": project(8002, "1G")}
    assert problem(project(8000, "1G"), others, 4 * GIB) == ""
    said = problem(project(8000, "2G"), others, 4 * GIB)
    assert "beside ear, nose: 5.0 GiB of 4.0" in said
    assert problem(project(memory="8G"), {}, 4 * GIB) == ""


def test_a_gpu_is_one_models_unless_it_is_shared() -> None:
    assert "the GPU is ear's" in problem(project(gpu=True), {"ear": project(8001, gpu=True)}, 0)
    assert problem(project(gpu="shared"), {"ear": project(8001, gpu=True)}, 0) == ""
