"""Encryption of credentials: AES-256-GCM.
Only the worker and the operator have the key, in their environment.

The database stores the ciphertext and the key's id. A ciphertext is bound to its organization,
vendor and key: copied to another row, it can't be decrypted. The secrets of webhooks are sealed to
the public key that belongs to a key (app/sealing.py), because the API server has no key.
"""

import base64
import hashlib
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app import sealing

_NONCE = 12  # bytes, random: NIST SP 800-38D, section 8.2.2, allows 2**32 encryptions with a key


class VaultError(Exception):
    """A credential can't be decrypted here. The message is a sentence that says what to do."""


class Vault:
    """Encrypts with the first of its keys, 32 bytes each, and decrypts with any of them."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = {key_id(key): AESGCM(key) for key in keys}
        self._sealing = {key_id(key): sealing.private_key_of(key) for key in keys}
        self.ids = tuple(self._keys)

    def encrypt(self, credential: str, *, organization_id: UUID, vendor: str) -> tuple[bytes, str]:
        """Returns the nonce, the ciphertext and its tag in one value, and the key's id."""
        id, nonce = self.ids[0], os.urandom(_NONCE)
        data = self._keys[id].encrypt(nonce, credential.encode(), _bound_to(organization_id, vendor, id))
        return nonce + data, id

    def decrypt(self, data: bytes, *, key_id: str, organization_id: UUID, vendor: str) -> str:
        """The credential. Raises VaultError."""
        if key_id not in self._keys:
            raise VaultError(
                f"The credential was encrypted with the key {key_id}, which is not here: "
                "restore that key, or run `leads crm connect` again."
            )
        nonce, sealed = data[:_NONCE], data[_NONCE:]
        try:
            return self._keys[key_id].decrypt(nonce, sealed, _bound_to(organization_id, vendor, key_id)).decode()
        except (InvalidTag, ValueError):
            raise VaultError(
                f"The credential is not what the key {key_id} encrypted for this organization and {vendor}: "
                "run `leads crm connect` again."
            ) from None

    def public_keys(self) -> list[bytes]:
        """The public keys that secrets are sealed to, in the order of the ids."""
        return [sealing.public_bytes(key) for key in self._sealing.values()]

    def seal(self, secret: str, *, organization_id: UUID, endpoint_id: UUID) -> tuple[bytes, str]:
        """Seals the secret of a webhook so that only this webhook opens it. Returns it with the key's id."""
        id = self.ids[0]
        return sealing.seal(secret, sealing.public_bytes(self._sealing[id]), _owner(organization_id, endpoint_id)), id

    def open(self, sealed: bytes, *, key_id: str, organization_id: UUID, endpoint_id: UUID) -> str:
        """The secret of a webhook that was sealed to the key's public key. Raises VaultError."""
        if key_id not in self._sealing:
            raise VaultError(
                f"The secret was sealed to the key {key_id}, which is not here: "
                "restore that key, or rotate the webhook's secret."
            )
        # A new secret has no owner until a worker has sealed it again.
        for owner in (_owner(organization_id, endpoint_id), b""):
            with suppress(ValueError):
                return sealing.open(sealed, self._sealing[key_id], owner)
        raise VaultError(
            f"The secret is not what was sealed to the key {key_id} for this webhook: rotate the webhook's secret."
        )


def key_id(key: bytes) -> str:
    """A key's id. It distinguishes keys and reveals nothing about them."""
    return hashlib.sha256(b"leads-crm-key:" + key).hexdigest()[:16]


def new_key() -> str:
    """A new random key, in the form of the setting."""
    return base64.b64encode(os.urandom(32)).decode()


def read(text: str) -> Vault:
    """The vault of a setting: keys in base64, plain or URL-safe, separated by commas.

    Raises ValueError. The message states the form, and doesn't quote the text.
    """
    return Vault([_key(part.strip()) for part in text.split(",")])


def _key(text: str) -> bytes:
    text = text.replace("-", "+").replace("_", "/")
    if not re.fullmatch(r"[A-Za-z0-9+/]{43}=?", text):
        raise ValueError("it must be keys of 32 bytes in base64, separated by commas")
    return base64.b64decode(text.rstrip("=") + "=")


def _owner(organization_id: UUID, endpoint_id: UUID) -> bytes:
    return organization_id.bytes + endpoint_id.bytes


def _bound_to(organization_id: UUID, vendor: str, key_id: str) -> bytes:
    # Unambiguous, because the first and the last part have a fixed length of 16 bytes each.
    return organization_id.bytes + vendor.encode() + key_id.encode()
