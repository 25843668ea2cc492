"""API keys that a test makes by itself. The product's own are made by ``auth.new_key``."""

import secrets
import zlib

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def new_key(environment: str) -> str:
    """A key of the form that docs/api.md describes, and that no database knows."""
    stem = f"lk_{environment}_" + "".join(secrets.choice(BASE62) for _ in range(30))
    return stem + checksum(stem)


def checksum(stem: str) -> str:
    """The last six characters of a key: the CRC-32 of the text before, in base62."""
    number, digits = zlib.crc32(stem.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = BASE62[digit] + digits
    return digits
