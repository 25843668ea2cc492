import base64
import os
from uuid import UUID

import pytest

from app.worker import vault
from app.worker.vault import VaultError

ACME, OTHER = UUID("9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"), UUID(int=7)
SECRET = "sk-of-acme-0001-é"


def test_a_credential_is_decrypted() -> None:
    box = vault.read(vault.new_key())
    data, id = box.encrypt(SECRET, organization_id=ACME, vendor="jobnimbus")
    assert id == box.ids[0]
    assert SECRET.encode() not in data
    assert len(data) == 12 + len(SECRET.encode()) + 16
    assert box.decrypt(data, key_id=id, organization_id=ACME, vendor="jobnimbus") == SECRET


def test_no_two_ciphertexts_are_equal() -> None:
    box = vault.read(vault.new_key())
    assert len({box.encrypt(SECRET, organization_id=ACME, vendor="hubspot")[0] for _ in range(10)}) == 10


@pytest.mark.parametrize(
    ("organization_id", "vendor"), [(OTHER, "jobnimbus"), (ACME, "hubspot"), (ACME, "jobnimbus "), (ACME, "")]
)
def test_a_ciphertext_is_bound_to_its_organization_and_vendor(organization_id: UUID, vendor: str) -> None:
    box = vault.read(vault.new_key())
    data, id = box.encrypt(SECRET, organization_id=ACME, vendor="jobnimbus")
    with pytest.raises(VaultError, match="leads crm connect"):
        box.decrypt(data, key_id=id, organization_id=organization_id, vendor=vendor)


def test_a_ciphertext_is_bound_to_its_key() -> None:
    box = vault.read(f"{vault.new_key()},{vault.new_key()}")
    data, _ = box.encrypt(SECRET, organization_id=ACME, vendor="jobnimbus")
    with pytest.raises(VaultError, match="leads crm connect"):
        box.decrypt(data, key_id=box.ids[1], organization_id=ACME, vendor="jobnimbus")


@pytest.mark.parametrize("at", [0, 11, 12, 20, -1])
def test_a_changed_byte_is_noticed(at: int) -> None:
    box = vault.read(vault.new_key())
    data, id = box.encrypt(SECRET, organization_id=ACME, vendor="jobnimbus")
    changed = bytearray(data)
    changed[at] ^= 1
    with pytest.raises(VaultError, match="leads crm connect"):
        box.decrypt(bytes(changed), key_id=id, organization_id=ACME, vendor="jobnimbus")


@pytest.mark.parametrize("length", [0, 5, 12, 20])
def test_a_truncated_ciphertext_is_noticed(length: int) -> None:
    box = vault.read(vault.new_key())
    data, id = box.encrypt(SECRET, organization_id=ACME, vendor="jobnimbus")
    with pytest.raises(VaultError, match="leads crm connect"):
        box.decrypt(data[:length], key_id=id, organization_id=ACME, vendor="jobnimbus")


def test_a_new_key_encrypts_and_the_old_one_still_decrypts() -> None:
    old, new = vault.new_key(), vault.new_key()
    data, old_id = vault.read(old).encrypt(SECRET, organization_id=ACME, vendor="jobnimbus")
    both = vault.read(f"{new}, {old}")
    assert both.decrypt(data, key_id=old_id, organization_id=ACME, vendor="jobnimbus") == SECRET
    assert both.encrypt(SECRET, organization_id=ACME, vendor="jobnimbus")[1] == vault.read(new).ids[0]
    with pytest.raises(VaultError, match=f"the key {old_id}, which is not here: .*leads crm connect"):
        vault.read(new).decrypt(data, key_id=old_id, organization_id=ACME, vendor="jobnimbus")


def test_a_keys_id_is_a_digest() -> None:
    # printf 'leads-crm-key:' | cat - <(head -c 32 /dev/zero) | sha256sum
    assert vault.key_id(bytes(32)) == "59fccb91399bc8a6"


@pytest.mark.parametrize("write", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_key_may_be_in_either_base64_alphabet_and_without_padding(write: object) -> None:
    key = b"\xff\xfe" + os.urandom(30)
    assert callable(write)
    text = write(key).decode()
    assert vault.read(text).ids == vault.read(f" {text.rstrip('=')} ").ids == (vault.key_id(key),)


@pytest.mark.parametrize(
    "text", ["", "x", "A" * 42, "A" * 44, "A" * 43 + "==", "é" * 43, "A" * 43 + "=,", "A" * 42 + "!"]
)
def test_an_invalid_key_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"^it must be keys of 32 bytes in base64") as raised:
        vault.read(text)
    assert len(text) < 5 or text not in str(raised.value)
