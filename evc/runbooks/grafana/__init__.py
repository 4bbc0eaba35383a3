"""The dashboards in Grafana: as files, in a container, and whether a real one takes them."""

from __future__ import annotations

from evc.runbooks.grafana.check import check
from evc.runbooks.grafana.container import down, password_file, up
from evc.runbooks.grafana.files import export

__all__ = ["check", "down", "export", "password_file", "up"]
