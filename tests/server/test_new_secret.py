"""The database gets a sealed secret, and the client the secret itself."""

import os

from app import sealing
from app.server.new_secret import NewSecret
from app.server.routes import SealingKey


def test_the_arguments_have_the_secret_only_sealed() -> None:
    private_key = sealing.private_key_of(os.urandom(32))
    secret = NewSecret.sealed_to(SealingKey("k1", sealing.public_bytes(private_key)))
    placeholder = secret.arguments["new_secret"]
    shown = secret.shown_in(b'{"secret":"%b"}' % placeholder)
    text = shown.decode().removeprefix('{"secret":"').removesuffix('"}')
    assert text.startswith("whsec_")
    assert sealing.open(bytes.fromhex(secret.arguments["sealed_secret"].decode()[2:]), private_key) == text
    assert secret.arguments["sealing_key"] == b"k1"
    assert all(text.encode() not in value for value in secret.arguments.values())
    assert text not in repr(secret)


def test_a_body_without_the_text_stays_as_it_is() -> None:
    key = SealingKey("k1", sealing.public_bytes(sealing.private_key_of(os.urandom(32))))
    assert NewSecret.sealed_to(key).shown_in(b'{"secret":null}') == b'{"secret":null}'
