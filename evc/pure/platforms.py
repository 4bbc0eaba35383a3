"""What an image is built for: an architecture, or a project's own variant of one.

A variant is called after its architecture (`arm64-l4t36`), and a selector over the nodes' facts
says which nodes of that architecture it is for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator

from evc.pure import references, selectors
from evc.pure.errors import BadInput
from evc.pure.names import SafeText
from evc.pure.schema import Strict
from evc.pure.selectors import Selectable

# Platform → the kernel's name for it, which the original used in repository names.
MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "armv7": "armv7l"}
_OF_MACHINE = {machine: platform for platform, machine in MACHINES.items()}
_VARIANT = re.compile(r"[a-z0-9]{1,20}(-[a-z0-9]{1,20}){0,3}")
# Names whose value an image's history must not keep.
SECRET_NAME = re.compile(r"passw|secret|token|credential|api_?key", re.IGNORECASE)


def platform_name(value: str) -> str:
    """`value` if it is an architecture or `ARCHITECTURE-VARIANT`; raises ValueError."""
    architecture, dash, variant = value.partition("-")
    if architecture not in MACHINES or (dash and not _VARIANT.fullmatch(variant)):
        known = ", ".join(MACHINES)
        raise ValueError(f"{value[:80]!r} is no platform: one of {known}, or arm64-VARIANT")
    return value


def image(value: str) -> str:
    """`value` if it is an image's name; raises ValueError."""
    references.parse(value)
    return value


def _selector(value: str) -> str:
    try:
        selectors.condition(value)
    except BadInput as error:
        raise ValueError(error.message) from None
    return value


def _argument(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", value):
        raise ValueError(f"{value[:80]!r} is no name of a build argument")
    if SECRET_NAME.search(value):
        raise ValueError(f"{value[:80]!r}: the image's history would keep a secret")
    return value


class Platform(Strict):
    """How the image differs there: its base and build arguments, and for which nodes it is."""

    on: Annotated[SafeText, AfterValidator(_selector)] | None = None
    base: Annotated[SafeText, AfterValidator(image)] | None = None
    args: dict[Annotated[str, AfterValidator(_argument)], SafeText] = {}


def _reachable(platforms: dict[str, Platform]) -> dict[str, Platform]:
    for name, one in platforms.items():
        if "-" in name and not one.on:
            raise ValueError(f"{name}: `on` is missing, so no node would ever get it")
        if "-" not in name and one.on:
            raise ValueError(f"{name} is for all nodes of its architecture; a variant takes `on`")
    return platforms


Platforms = Annotated[
    dict[Annotated[str, AfterValidator(platform_name)], Platform], AfterValidator(_reachable)
]
PLAIN = Platform()


def of_machine(machine: str) -> str:
    """The platform of a kernel's machine name; an unknown one stays as it is."""
    return _OF_MACHINE.get(machine, machine)


def of_node(platforms: Mapping[str, Platform], node: Selectable) -> str:
    """What a node needs: the first variant of its architecture that is for it, else that itself.

    '' as long as nothing is known of the node.
    """
    own = of_machine(str(node.facts.get("architecture") or ""))
    for name, one in platforms.items():
        if name.startswith(f"{own}-") and one.on and selectors.condition(one.on)(node):
            return name
    return own


def family(platform: str) -> str:
    """The plain platform of a variant: `arm64` of `arm64-l4t36`."""
    return platform.partition("-")[0]


def architecture(platform: str) -> str:
    """What Docker calls the architecture of a platform: `arm` of `armv7`."""
    return "arm" if family(platform) == "armv7" else family(platform)


def for_docker(platform: str) -> str:
    """A platform as Docker's `--platform` takes it: `linux/arm/v7`."""
    return f"linux/{architecture(platform)}" + ("/v7" if family(platform) == "armv7" else "")


def repository(platform: str) -> str:
    """The registry's repository for a platform: `x86_64-model`, as in the original."""
    name, _, variant = platform.partition("-")
    name = MACHINES.get(name, name)
    return f"{name}-{variant}-model" if variant else f"{name}-model"
