import base64
import os
from hashlib import sha256
from uuid import UUID

import pytest
from standardwebhooks import Webhook

from app import sealing
from app.worker import vault
from app.worker.vault import Vault, VaultError

KEY = bytes(range(32))
PUBLIC_KEY = bytes.fromhex("f75f0ca57ab7d71a6afaab13fc8e26280e6928c27fd7efa17c3354cde77de967")
SECRET = "whsec_bm8gc2VjcmV0IG9mIGFueWJvZHk="
OWNER = {"organization_id": UUID(int=1), "endpoint_id": UUID(int=2)}


def test_a_secret_is_opened_by_the_worker_and_stored_in_no_readable_form() -> None:
    box = Vault([KEY])
    sealed = sealing.seal(SECRET, box.public_keys()[0])
    assert len(sealed) == 32 + len(SECRET) + 16
    assert SECRET.encode() not in sealed
    assert box.open(sealed, key_id=box.ids[0], **OWNER) == SECRET


def test_no_two_sealed_secrets_are_equal() -> None:
    assert len({sealing.seal(SECRET, PUBLIC_KEY) for _ in range(10)}) == 10


def test_a_secret_sealed_by_another_implementation_is_opened() -> None:
    # By pyhpke 0.6.5, with DHKEM_X25519_HKDF_SHA256, HKDF_SHA256, AES256_GCM and the info leads-sealed-secret.
    sealed = bytes.fromhex(
        "eadb12f91f0cba69ab6972182db5b133ecf15e939fd04c8fd6c9525fc3deb811"
        "10dd28e0507926e493feb26c27b8b1ea19889bba7f4f9d5434cac2262466f4398608"
    )
    assert sealing.open(sealed, sealing.private_key_of(KEY)) == "whsec_known-answer"


def test_the_private_key_is_derived_with_hkdf() -> None:
    # openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt hexkey:000102…1f -kdfopt info:leads-sealing-key HKDF
    derived = "d390fceb083924510050b67dc61b561387005a7a41100be74416c31ec2ac0979"
    private_key = sealing.private_key_of(KEY)
    assert private_key.private_bytes_raw().hex() == derived
    assert sealing.public_bytes(private_key) == PUBLIC_KEY
    assert PUBLIC_KEY not in {KEY, sha256(KEY).digest()}


@pytest.mark.parametrize("at", [0, 31, 32, 50, -1])
def test_a_changed_byte_is_noticed(at: int) -> None:
    box = Vault([KEY])
    changed = bytearray(sealing.seal(SECRET, PUBLIC_KEY))
    changed[at] ^= 1
    with pytest.raises(VaultError, match="rotate the webhook's secret"):
        box.open(bytes(changed), key_id=box.ids[0], **OWNER)


@pytest.mark.parametrize("length", [0, 5, 32, 47, 60])
def test_a_truncated_secret_is_noticed(length: int) -> None:
    with pytest.raises(ValueError, match="not sealed to this key, or was changed"):
        sealing.open(sealing.seal(SECRET, PUBLIC_KEY)[:length], sealing.private_key_of(KEY))


def test_another_key_does_not_open_it() -> None:
    box = Vault([os.urandom(32), KEY])
    sealed = sealing.seal(SECRET, PUBLIC_KEY)
    with pytest.raises(VaultError, match=f"sealed to the key {box.ids[0]} for this webhook: rotate"):
        box.open(sealed, key_id=box.ids[0], **OWNER)
    assert box.open(sealed, key_id=box.ids[1], **OWNER) == SECRET


@pytest.mark.parametrize("other", [{"organization_id": UUID(int=2)}, {"endpoint_id": UUID(int=1)}])
def test_a_secret_that_a_worker_has_sealed_again_opens_for_its_webhook_only(other: dict[str, UUID]) -> None:
    box = Vault([KEY])
    sealed, key_id = box.seal(SECRET, **OWNER)
    assert box.open(sealed, key_id=key_id, **OWNER) == SECRET
    with pytest.raises(VaultError, match="for this webhook"):
        box.open(sealed, key_id=key_id, **{**OWNER, **other})
    with pytest.raises(ValueError, match="not sealed to this key"):
        sealing.open(sealed, sealing.private_key_of(KEY))


def test_a_key_that_is_not_here_is_named() -> None:
    with pytest.raises(VaultError, match=r"the key 59fccb91399bc8a6, which is not here: restore .* rotate"):
        Vault([KEY]).open(sealing.seal(SECRET, PUBLIC_KEY), key_id=vault.key_id(bytes(32)), **OWNER)


@pytest.mark.parametrize("public_key", [b"", bytes(31), bytes(33), bytes(32)])
def test_nothing_is_sealed_to_a_public_key_that_is_none(public_key: bytes) -> None:
    with pytest.raises(ValueError, match="key"):
        sealing.seal(SECRET, public_key)


def test_a_new_secret_has_32_random_bytes_and_signs() -> None:
    secret = sealing.new_secret()
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert secret != sealing.new_secret()
    Webhook(secret)
