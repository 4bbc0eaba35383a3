"""A backup holds the whole controller, opens with its passphrase only, and comes back whole."""

from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from evc.doors import fleet as fleets
from evc.doors import seals, store
from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure.errors import BadInput, EvcError
from evc.pure.positions import Position
from evc.pure.secret import Secret
from evc.runbooks import audit, backups, generations
from evc.runbooks.init import init
from evc.runbooks.logger.record import Recorder
from tests.unit.runbooks.test_logger_record import received

WORDS = Secret("correct horse battery")


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    made = init(tmp_path / "fleet")
    fleets.write_private(made.certs / "id_ed25519", "sentinel-of-a-key")
    fleets.replace(made.inventory_file, "[builder]\n")
    return made


@pytest.fixture
def opened(fleet: Fleet) -> Iterator[Store]:
    with store.opened(fleet.database, fleets.share() / "db") as found:
        yield found


def test_a_backup_under_load_comes_back_whole(fleet: Fleet, opened: Store, tmp_path: Path) -> None:
    stop = threading.Event()

    def load() -> None:
        with store.opened(fleet.database, fleets.share() / "db") as writer:
            recorder, seq = Recorder(writer), 0
            while not stop.is_set():
                recorder.write([received(seq := seq + 1)])

    thread = threading.Thread(target=load)
    thread.start()
    try:
        while not opened.rows("SELECT 1 FROM sample WHERE seq > 200"):
            pass
        backups.backup(fleet, opened, tmp_path / "b.evc", WORDS, images=False)
    finally:
        stop.set()
        thread.join()
    assert b"sentinel-of-a-key" not in (tmp_path / "b.evc").read_bytes()
    assert (tmp_path / "b.evc").stat().st_mode & 0o777 == 0o600
    restored = backups.restore(tmp_path / "b.evc", tmp_path / "other", WORDS)
    assert restored.id == fleet.id and fleets.read_private(restored.ssh_key) == "sentinel-of-a-key"
    assert generations.mark(restored) and not generations.mark(fleet)
    assert restored.inventory_file.read_text() == "[builder]\n"
    with store.opened(restored.database, fleets.share() / "db") as found:
        (row,) = found.rows("SELECT max(seq) AS seq, count(*) AS n FROM sample")
        assert row["seq"] == row["n"] >= 200
        assert Recorder(found).position("cam01") == Position(row["seq"])


def test_both_are_in_the_history_of_their_fleet(
    fleet: Fleet, opened: Store, tmp_path: Path
) -> None:
    file = tmp_path / "b.evc"
    backups.backup(fleet, opened, file, WORDS, images=False)
    restored = backups.restore(file, tmp_path / "other", WORDS)
    assert [row["command"] for row in audit.newest(opened, 9)] == [f"backup --to {file}"]
    with store.opened(restored.database, fleets.share() / "db") as found:
        assert [row["command"] for row in audit.newest(found, 9)] == [f"restore {file}"]


def test_images_come_only_when_asked_for(fleet: Fleet, opened: Store, tmp_path: Path) -> None:
    fleet.registry_data.mkdir()
    (fleet.registry_data / "blob").write_text("layer")
    for images in (False, True):
        file = tmp_path / f"{images}.evc"
        backups.backup(fleet, opened, file, WORDS, images)
        restored = backups.restore(file, tmp_path / f"other-{images}", WORDS)
        assert (restored.registry_data / "blob").exists() is images


def test_what_is_no_backup_leaves_nothing(fleet: Fleet, opened: Store, tmp_path: Path) -> None:
    file, other = tmp_path / "b.evc", tmp_path / "other"
    backups.backup(fleet, opened, file, WORDS, images=False)
    whole = file.read_bytes()
    bad = {
        "no backup": b"x" * 100,
        "another passphrase": whole,
        "damaged": whole[:-30],
        "damaged|unpacked": whole[:2000] + bytes([whole[2000] ^ 1]) + whole[2001:],
    }
    for said, data in bad.items():
        file.write_bytes(data)
        words = Secret("another one") if said == "another passphrase" else WORDS
        with pytest.raises(EvcError, match=said):
            backups.restore(file, other, words)
        assert not other.exists() and not list(tmp_path.glob(".restore-*"))
    with pytest.raises(BadInput, match="not empty"):
        backups.restore(file, fleet.root, WORDS)
    with pytest.raises(BadInput, match="8 characters"):
        backups.backup(fleet, opened, file, Secret("short"), images=False)


@pytest.mark.parametrize("name", ["../x", "/etc/x", "certs/../../x", "db/other.db3", "x"])
def test_nothing_else_is_unpacked(tmp_path: Path, name: str) -> None:
    with seals.sealed(tmp_path / "b.evc", WORDS) as file:
        with tarfile.open(fileobj=file, mode="w|gz") as archive:
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
        file.flush()
    with pytest.raises(EvcError, match="which no backup has"):
        backups.restore(tmp_path / "b.evc", tmp_path / "other", WORDS)


def test_a_file_of_many_chunks(tmp_path: Path) -> None:
    data = bytes(range(256)) * 4096 * 3 + b"rest"
    with seals.sealed(tmp_path / "s", WORDS) as file:
        file.write(data)
        file.flush()
    with seals.opened(tmp_path / "s", WORDS) as found:
        assert found.read() == data
    sealed = (tmp_path / "s").read_bytes()
    first = len(seals.MAGIC) + 16 + 4 + seals.CHUNK_BYTES + 16
    (tmp_path / "s").write_bytes(sealed[:first])  # cut at a chunk's end
    with pytest.raises(EvcError, match="cut short"), seals.opened(tmp_path / "s", WORDS) as found:
        found.read()
