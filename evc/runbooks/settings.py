"""The fleet's settings in the database, and what of them holds for a container."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

from evc.doors import fleet as fleets
from evc.doors import vault
from evc.doors.fleet import Fleet
from evc.doors.store import Row, Store
from evc.doors.vault import Vault
from evc.pure.secret import Secret
from evc.pure.settings import Resolved, Scope, Setting


def everything(fleet: Fleet, store: Store) -> list[Setting]:
    """All settings, secrets decrypted."""
    rows = store.rows("SELECT * FROM setting ORDER BY level, owner, model, key")
    opened = _vault(fleet) if any(row["kind"] == "secret" for row in rows) else None
    return [_setting(opened, row) for row in rows]


def secrets(store: Store) -> list[tuple[Scope, str]]:
    """Where each secret holds, and its name; nothing is decrypted."""
    rows = store.rows("SELECT * FROM setting WHERE kind = 'secret' ORDER BY level, owner, key")
    return [(Scope(row["level"], row["owner"], row["model"]), row["key"]) for row in rows]


def mark(fleet: Fleet, found: Resolved, owner: int) -> str:
    """What changes when a file of `found` does, or the account it belongs to; '' without files."""
    if not found.files:
        return ""
    files = {name: value.reveal() for name, value in found.files.items()}
    return _vault(fleet).mark(json.dumps([files, owner], sort_keys=True))


def keep(fleet: Fleet, store: Store, wanted: Sequence[Setting]) -> None:
    """Write settings, all or none; those that are there already change."""
    with store.transaction():
        for one in wanted:
            secret = one.kind == "secret"
            value = _vault(fleet).encrypt(one.value) if secret else one.value.reveal()
            store.write(
                "INSERT INTO setting (level, owner, model, key, kind, value, changed_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (level, owner, model, key) DO UPDATE SET"
                " kind = excluded.kind, value = excluded.value, changed_at = excluded.changed_at",
                (*_where(one.scope, one.key), one.kind, value, time.time()),
            )


def forget(store: Store, scope: Scope, key: str) -> bool:
    """Delete the setting of exactly `scope`; False when there is none."""
    where = " FROM setting WHERE level = ? AND owner = ? AND model = ? AND key = ?"
    found = store.row("SELECT id" + where, _where(scope, key))
    store.write("DELETE" + where, _where(scope, key))
    return found is not None


def _where(scope: Scope, key: str) -> tuple[str, str, str, str]:
    return scope.level, scope.owner, scope.model, key


def _setting(opened: Vault | None, row: Row) -> Setting:
    value = Secret(row["value"])
    if opened and row["kind"] == "secret":
        value = opened.decrypt(row["value"])
    return Setting(Scope(row["level"], row["owner"], row["model"]), row["key"], row["kind"], value)


def _vault(fleet: Fleet) -> Vault:
    file = fleet.settings_key
    if not file.exists():
        fleets.write_private(file, vault.new_key().reveal())
    return Vault(Secret(fleets.read_private(file)))
