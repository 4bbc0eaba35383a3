"""Encryption of secrets at rest, with a key that never leaves the controller's `certs/`.

Format: Fernet (https://github.com/fernet/spec). A mark is HMAC-SHA256 under the same key: it tells
whether a content changed, and gives nothing away to one who could guess it.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken

from evc.pure.errors import EvcError
from evc.pure.secret import Secret


def new_key() -> Secret:
    """A new key, as text."""
    return Secret(Fernet.generate_key().decode())


class Vault:
    """Encrypts and marks with one key."""

    def __init__(self, key: Secret) -> None:
        self._key = key.reveal().encode()

    def encrypt(self, secret: Secret) -> str:
        return Fernet(self._key).encrypt(secret.reveal().encode()).decode()

    def decrypt(self, text: str) -> Secret:
        """Raises EvcError for a text of another key."""
        try:
            return Secret(Fernet(self._key).decrypt(text.encode()).decode())
        except InvalidToken:
            remedy = "restore certs/ from a backup, or `evc secret set` each of them again"
            raise EvcError("a secret was encrypted with another key", remedy) from None

    def mark(self, text: str) -> str:
        """16 hexadecimal digits that change with `text`."""
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()[:16]
