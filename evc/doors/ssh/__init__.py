"""SSH: EVC's key, pinned host keys, programs on nodes, and ports through a connection.

Playbooks use OpenSSH through Ansible; what asks or streams goes through here. `~/.ssh/config` is
honoured.
"""

from evc.doors.ssh.connections import (
    HostKeyRefused,
    Jump,
    SshError,
    Target,
    connection,
    host_key,
)
from evc.doors.ssh.keys import HostKey, ensure_key, fingerprint, key_pair, pattern
from evc.doors.ssh.ports import forwarded_port, lent_ports
from evc.doors.ssh.programs import ProgramFailed, follow, lines, output
from evc.doors.ssh.wire import Wire

__all__ = ["HostKey", "HostKeyRefused", "Jump", "ProgramFailed", "SshError", "Target", "Wire",
           "connection", "ensure_key", "fingerprint", "follow", "forwarded_port", "host_key",
           "key_pair", "lent_ports", "lines", "output", "pattern"]  # fmt: skip
