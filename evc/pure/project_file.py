"""The commented `myEVCconfig.yaml` that `evc init --project` writes, from what a folder holds."""

from __future__ import annotations

import re
from collections.abc import Collection

from evc.pure.config import Serve

# Mode → the file that the original started for it.
PROGRAMS = {"gradio": "app.py", "flask": "run.py"}

TEXT = """\
# What EVC builds from this folder and how it runs. Only model_name and version are needed;
# what is commented out shows other keys with an example.
model_name: {name}
version: 0.1          # stays as typed: 1.10 is 1.10

# On which nodes: groups, as `evc node list` shows them. `evc run --on` says it for one time.
# group: [shop]
# Machines that EVC does not know yet, by group; `app` is where people reach the model there.
# target:
#   shop:
#     - {{name: cam01, ip: 192.0.2.10, port: 22, user: pi, app: "192.0.2.10:7860"}}

# owner: someone
# task: detection

{image}
# How it starts and where it listens. `mode: gradio` is app.py on port 7860, `flask` run.py on
# 5000; any other program says its command.
serve:
  mode: {mode}
{serve}
  # health: /health     # asked until it answers 200; without it an open port will do
  # predict: /predict   # where `evc predict` sends its image
  # start_period: 60    # seconds until it must be well
  # Containers run as user 10001 on a read-only root, with no capability. Loosen single ones:
  # root: true
  # writable: true

# resources:
#   memory: 1G
#   cpus: 2
# tests:
#   command: [python3, -m, pytest, -q]   # run in the fresh image before it may be pushed
"""
OWN_DOCKERFILE = """\
# The folder's own Dockerfile is built. Without one EVC writes it, from `base`, `packages`,
# `requirements` and `weights`.
"""
IMAGE = """\
# The image: EVC writes the Dockerfile, in layers, so that a code edit ships kilobytes.
base: python:3.11-slim
{requirements}
# packages: [libgl1]          # Debian's
# weights: [{{path: weights}}]  # a layer of its own
"""


def text(folder: str, files: Collection[str], packed: Collection[str]) -> str:
    """The file for a project in a folder called `folder` that holds `files`.

    `packed` are the files of its archives by their last name, `app.py`.
    """
    names = {*files, *packed}
    modes = [mode for mode, program in PROGRAMS.items() if program in names]
    requirements = "requirements: requirements.txt"
    listed = requirements if "requirements.txt" in files else f"# {requirements}"
    return TEXT.format(
        name=model_name(folder),
        image=OWN_DOCKERFILE if "Dockerfile" in files else IMAGE.format(requirements=listed),
        mode=modes[0] if modes else "http",
        serve=_serve(modes[0] if modes else "http"),
    )


def _serve(mode: str) -> str:
    """The command and port: of a mode with its own they are shown, else to be changed."""
    if mode == "http":
        return "  command: [python3, app.py]\n  port: 8000"
    known = Serve.model_validate({"mode": mode})
    return f"  # command: [{', '.join(known.command)}]\n  # port: {known.port}"


def model_name(folder: str) -> str:
    """A model name made of a folder's."""
    cut = re.sub(r"[^a-z0-9._-]+", "-", folder.lower())[:48].strip("._-")
    return cut or "my-model"
