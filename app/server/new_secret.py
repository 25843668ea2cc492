"""New secrets for routes whose functions have the arguments ``new_secret``, ``sealed_secret`` and
``sealing_key``.

The database stores the secret sealed to a public key (app/sealing.py), and the response shows it
once. ``new_secret`` is not the secret but a text that stands for it: the function puts it into its
response, where the server replaces it. So neither PostgreSQL nor its log ever has the secret.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.server.routes import SealingKey


@dataclass(frozen=True)
class NewSecret:
    """A secret that was just made."""

    arguments: Mapping[str, bytes]
    """The values of the function's arguments, by their names."""
    _text: bytes = field(repr=False)

    @classmethod
    def sealed_to(cls, key: SealingKey) -> "NewSecret":
        """A new secret, sealed to this key. Raises ValueError for a key of the wrong form."""
        # Most servers never make a secret, and the library needs some megabytes.
        from app import sealing

        secret = sealing.new_secret()
        arguments = {
            "new_secret": b"secret-%b" % os.urandom(16).hex().encode(),
            "sealed_secret": b"\\x%b" % sealing.seal(secret, key.public_key).hex().encode(),
            "sealing_key": key.id.encode(),
        }
        return cls(arguments, secret.encode())

    def put_into(self, values: list[bytes | None], names: Sequence[str]) -> None:
        """Sets those of a function's arguments that are the secret. names: the names of all its arguments."""
        for name, value in self.arguments.items():
            if name in names:
                values[names.index(name)] = value

    def shown_in(self, body: bytes) -> bytes:
        """The body of the response, with the secret in the place of the text that stands for it."""
        return body.replace(self.arguments["new_secret"], self._text)
