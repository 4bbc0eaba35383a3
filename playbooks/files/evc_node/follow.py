"""Follow a job by its journal, and bring a swap to its end when its process has died."""

import json
import time
from pathlib import Path

from journal import FINAL, Journal

ALIVE_SECONDS = 10.0


def follow(folder, job, recover=None, patience=120.0):
    """Yield the entries of `job` as they are written, until its last, and None now and then.

    None says that the job is alive: a health check or a compiler may be silent for minutes.
    When the job's process has died, `recover(journal)` is run here; without one, or when nothing
    is written for `patience` seconds by nobody alive, the following ends with `failed`.
    """
    journal, seen, quiet_since, said = Journal(folder), 0, time.monotonic(), time.monotonic()
    while True:
        entries = journal.entries()
        if entries and entries[0].get("order", {}).get("id") != job:
            yield {"step": "failed", "reason": "another job took its place"}
            return
        for entry in entries[seen:]:
            yield entry
            quiet_since = said = time.monotonic()
            if entry["step"] in FINAL:
                return
        seen = len(entries)
        lock = journal.try_lock()
        if lock:
            with lock:
                _take_over(journal, recover)
            if time.monotonic() - quiet_since > patience:
                yield {"step": "failed", "reason": "its process ended without a word"}
                return
        if time.monotonic() - said > ALIVE_SECONDS:
            said = time.monotonic()
            yield None
        time.sleep(0.05)  # the poll of the file: inotify is not in the standard library


def _take_over(journal, recover):
    if journal.finished():
        return
    if recover:
        recover(journal)
    else:
        journal.step("failed", reason="its process was killed")


def _recover(journal):
    """Only here is the rest of the program needed, which takes twice as long to load."""
    import swap

    swap.recover_quietly(journal)


def main(arguments):
    """`follow FOLDER JOB`: print its entries as JSON lines; an empty one is a sign of life."""
    folder, job = arguments
    recover = _recover if Path(folder).parent.name == "models" else None
    for entry in follow(folder, job, recover):
        shown = {name: value for name, value in (entry or {}).items() if name != "order"}
        print(json.dumps(shown) if entry else "", flush=True)
    return 0
