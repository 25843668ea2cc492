"""Secrets that the API server writes and only the worker can read: HPKE (RFC 9180) in base mode,
with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM.

The worker derives a key pair from each of its CRM keys, and the database shows the public key. What
is sealed has the size of the secret and 48 bytes. The API server doesn't know the row that it will be
stored in. So a worker seals each secret again, bound to its owner (app/worker/secrets.py).
"""

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_INFO = b"leads-sealed-secret"
_KEY_INFO = b"leads-sealing-key"


def new_secret() -> str:
    """A signing secret (Standard Webhooks 1.0.0): ``whsec_`` and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(os.urandom(32)).decode()


def seal(secret: str, public_key: bytes, owner: bytes = b"") -> bytes:
    """Seals a secret to a public key of 32 bytes. Two results of the same secret differ.
    owner: the ids of what the secret belongs to. Only they open it. Empty: it is not known yet.

    Raises ValueError for a public key of another size, or of small order.
    """
    return _SUITE.encrypt(secret.encode(), X25519PublicKey.from_public_bytes(public_key), _INFO + owner)


def open(sealed: bytes, private_key: X25519PrivateKey, owner: bytes = b"") -> str:
    """The secret. Raises ValueError if it was sealed to another key or for another owner, or changed."""
    try:
        return _SUITE.decrypt(sealed, private_key, _INFO + owner).decode()
    except (InvalidTag, ValueError):
        raise ValueError("it was not sealed to this key, or was changed") from None


def private_key_of(key: bytes) -> X25519PrivateKey:
    """The private key that belongs to a CRM key, derived with HKDF-SHA256."""
    return X25519PrivateKey.from_private_bytes(HKDF(SHA256(), 32, None, _KEY_INFO).derive(key))


def public_bytes(private_key: X25519PrivateKey) -> bytes:
    """The public key that belongs to a private key, 32 bytes."""
    return private_key.public_key().public_bytes_raw()
