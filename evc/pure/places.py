"""How places that have an address only get coordinates."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from evc.pure.schema import Strict

_SERVER = re.compile(r"(https?://)?[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?(/[A-Za-z0-9._/-]*)?")


def _server(value: str) -> str:
    if not _SERVER.fullmatch(value):
        raise ValueError(f"{value[:80]!r} is no [http(s)://]HOST[/PATH]")
    return value


class Geocoding(Strict):
    """`geocoding:` of ServerConfig.yaml: whether a server may be asked, and which."""

    online: bool = True
    server: Annotated[str, AfterValidator(_server)] = "nominatim.openstreetmap.org"
