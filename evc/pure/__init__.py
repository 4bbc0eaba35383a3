"""Values and decisions without I/O: nothing here reads, writes, waits or asks the time."""
