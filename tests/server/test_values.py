import pytest

from app.server import values
from app.server.problems import FieldError
from app.server.values import Reader
from tests.support.database import Database


def error_code(read: Reader, value: str) -> str:
    """The code of the error for the value."""
    error = read(value, "size")
    assert isinstance(error, FieldError), error
    assert error.field == "size"
    assert error.detail.endswith(".")
    return error.code


def test_a_type_without_a_reader_is_named() -> None:
    with pytest.raises(ValueError, match="type point; use one of text, integer"):
        values.reader("point")
    assert values.reader("text") is values.text


@pytest.mark.parametrize(
    ("read", "value", "handed_on"),
    [
        (values.text, " a ", " a "),
        (values.text, "🏚", "🏚"),
        (values.integer, "0", "0"),
        (values.integer, "-2147483648", "-2147483648"),
        (values.integer, "2147483647", "2147483647"),
        (values.integer, "007", "007"),
        (values.boolean, "true", "true"),
        (values.boolean, "false", "false"),
        (values.uuid, "9F1C8A32-4D65-4E2B-8A91-3C0E7D4B2F18", "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"),
        (values.text_list, "a", '{"a"}'),
        (values.text_list, 'a,b"\\,{}', '{"a","b\\"\\\\","{}"}'),
    ],
)
def test_an_accepted_value_is_passed_on(read: Reader, value: str, handed_on: str) -> None:
    assert read(value, "x") == handed_on


@pytest.mark.parametrize(
    "read", [*map(values.reader, ("text", "integer", "uuid", "boolean", "text[]", "timestamp with time zone"))]
)
def test_no_type_accepts_an_empty_value_or_a_nul(read: Reader) -> None:
    assert error_code(read, "") == "empty_value"
    assert error_code(read, "1\0") == "nul_character"


@pytest.mark.parametrize(
    ("read", "code", "wrong"),
    [
        (values.integer, "invalid_integer", ["1.0", "1e1", "+1", " 1", "1 ", "1_0", "\u0663", "--1", "0x1"]),
        (values.integer, "invalid_integer", ["2147483648", "-2147483649", "9" * 100]),
        (values.boolean, "invalid_boolean", ["True", "yes", "1", "t", " true"]),
        (values.uuid, "invalid_uuid", ["9f1c8a324d654e2b8a913c0e7d4b2f18", "{9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18}"]),
        (values.uuid, "invalid_uuid", ["x", "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f1"]),
        (values.uuid, "invalid_uuid", ["9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18\n"]),
        (values.text_list, "empty_value", [",", "a,", ",a", "a,,b"]),
    ],
)  # fmt: skip
def test_a_refused_value_has_a_code(read: Reader, code: str, wrong: list[str]) -> None:
    for value in wrong:
        assert error_code(read, value) == code, value


def test_postgresql_casts_every_accepted_value(database: Database) -> None:
    with database.connect() as connection:
        for read, type, given_values in (
            (values.integer, "integer", ["-2147483648", "2147483647", "0000000007"]),
            (values.text_list, "text[]", ['"', "\\", "{}", "NULL", "a b", "\n", "🏚,'"]),
            (values.uuid, "uuid", ["9F1C8A32-4D65-4E2B-8A91-3C0E7D4B2F18"]),
            (values.boolean, "boolean", ["true", "false"]),
        ):
            for value in given_values:
                row = connection.execute(f"select %s::{type} as value".encode(), [read(value, "x")]).fetchone()
                assert row
                if type == "text[]":
                    assert row["value"] == value.split(",")
