"""Whether a model fits beside the others that a node should run: ports, memory, GPU."""

from __future__ import annotations

from collections.abc import Mapping

from evc.pure.config import ProjectConfig
from evc.pure.containers import size_bytes


def problem(project: ProjectConfig, others: Mapping[str, ProjectConfig], memory: int) -> str:
    """What is in the way, and what helps; '' when it fits.

    `others` are the models that the node should run too, as they run there; `memory` is the node's
    in bytes, 0 when unknown. Limits of memory count in full: a container may take all of its own.
    One alone may be allowed more than there is.
    """
    port = project.serve.published
    for name, other in sorted(others.items()):
        if port and port == other.serve.published:
            return f"port {port} is {name}'s there: `serve: {{publish: PORT}}` takes another"
        if project.serve.gpu and other.serve.gpu and project.serve.gpu != "shared":
            return f"the GPU is {name}'s there: `serve: {{gpu: shared}}` shares it"
    whole = [project, *others.values()]
    wanted = sum(size_bytes(one.resources.memory) for one in whole)
    if others and memory and wanted > memory:
        names = ", ".join(sorted(others))
        return (
            f"its memory of {project.resources.memory} does not fit beside {names}:"
            f" {wanted / 1024**3:.1f} GiB of {memory / 1024**3:.1f}; `resources: {{memory: …}}`"
        )
    return ""
