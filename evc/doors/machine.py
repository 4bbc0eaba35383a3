"""What the controller itself has and uses, by psutil."""

from __future__ import annotations

from pathlib import Path

import psutil


class Machine:
    """This machine and this process; shares of CPU are those since the last time."""

    def __init__(self, database: Path) -> None:
        self._database, self._own = database, psutil.Process()
        self.figures()

    def figures(self) -> dict[str, float]:
        """By column of the table `controller`, without its time: % and bytes."""
        disk = psutil.disk_usage(str(self._database.parent))
        files = [self._database, self._database.with_name(self._database.name + "-wal")]
        return {
            "cpu": psutil.cpu_percent(),
            "load1": psutil.getloadavg()[0],
            "memory_used": psutil.virtual_memory().percent,
            "disk_used": disk.used,
            "disk_available": disk.free,
            "logger_cpu": self._own.cpu_percent(),
            "logger_memory": self._own.memory_info().rss,
            "database_bytes": sum(file.stat().st_size for file in files if file.exists()),
        }
