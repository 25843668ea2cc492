"""CSV as JSON."""

import json
from typing import Any

import pytest

from app import csv_rows


def read(text: str) -> list[Any]:
    array = csv_rows.array(text, 10**6)
    assert array is not None
    rows: list[Any] = json.loads(array)
    return rows


def test_a_row_is_an_object_of_texts() -> None:
    text = 'name,note\r\n"Ada ""A."" Abbott","two\r\nlines"\r\n\r\nBea,\r\n'
    assert read(text) == [
        {"name": 'Ada "A." Abbott', "note": "two\r\nlines"},
        {"name": "Bea", "note": None},
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    assert read(f"a{delimiter}b\n1{delimiter}2") == [{"a": "1", "b": "2"}]


def test_a_row_with_another_number_of_cells_is_an_array() -> None:
    assert read("a,b\n1\n1,2,3\n1,2\n") == [["1"], ["1", "2", "3"], {"a": "1", "b": "2"}]


def test_a_value_in_a_column_without_a_name_is_reported_as_the_cells_of_its_row() -> None:
    assert read("a,\n1,\n2,x\n") == [{"a": "1"}, ["2", "x"]]


def test_a_quotation_mark_that_is_not_closed_is_refused() -> None:
    with pytest.raises(csv_rows.CsvError, match="unexpected end of data"):
        csv_rows.array('a\n"1\n2\n', 100)


def test_a_header_alone_and_an_empty_text_have_no_rows() -> None:
    assert read("a,b\n") == read("") == []


def test_two_columns_with_one_name_are_refused() -> None:
    with pytest.raises(csv_rows.CsvError, match="same name"):
        csv_rows.array("a,b,a\n1,2,3", 100)


def test_a_cell_may_be_as_long_as_a_row() -> None:
    assert csv_rows.array("a\n" + "x" * 200_000, 10**6) is not None


def test_the_result_is_limited() -> None:
    assert csv_rows.array("a\n" + "1\n" * 100, 5000) is None
    assert csv_rows.array("a\n" + "1\n" * 100, 7000) is not None


@pytest.mark.parametrize("text", ["a," * 150_000, "a\n" + "1," * 150_000, 'a\n"' + '1\n","' * 60_000])
def test_a_row_that_is_too_long_is_refused(text: str) -> None:
    with pytest.raises(csv_rows.CsvError, match="longer than 256 KiB"):
        csv_rows.array(text, 10**8)
