"""CSV as JSON: an object of texts for each row.

The names come from the first row. An empty cell is null. The delimiter is a comma, a semicolon or a
tab, whichever the first line has most often. A row with more or fewer cells than the first row, or
with a value in a column without a name, is an array of its cells instead, so that the reader can
report it. Empty lines are left out.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from itertools import chain

MAX_ROW = 256 * 1024
"""Characters of a row. A cell takes much more memory than its text."""
SMALL_ROW = 64
"""Characters that a row counts as, if it has fewer: eight million rows would take many seconds."""


class CsvError(ValueError):
    """The text is not CSV. The message is a sentence, and quotes nothing of the text."""


def rows(lines: Iterable[str]) -> Iterator[str]:
    """The rows as JSON texts. lines: with their line ends, as an open file gives them.
    Raises CsvError.
    """
    iterator = iter(lines)
    first = next((line for line in iterator if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    row = _Row()
    csv.field_size_limit(MAX_ROW)
    # Strict: without it, a quotation mark that is missing makes one cell of the rest of the text.
    reader = csv.reader(row.lines(first, iterator), delimiter=delimiter, strict=True)
    names: list[str] = []
    try:
        for cells in reader:
            row.size = 0
            if not cells:
                continue
            if not names:
                names = [name.strip() for name in cells]
                _check(names)
            elif len(cells) == len(names) and all(map(_has_name, names, cells)):
                yield _json({name: cell or None for name, cell in zip(names, cells, strict=True) if name})
            else:
                yield _json(cells)
    except csv.Error as error:
        raise CsvError(f"The text is not valid CSV: line {reader.line_num}: {error}.") from None


def array(text: str, limit: int) -> str | None:
    """The rows as a JSON array. None: it is longer than the limit, in characters; a short row counts
    as SMALL_ROW.
    Raises CsvError.
    """
    parts: list[str] = []
    left = limit
    for row in rows(io.StringIO(text, newline="")):
        left -= max(len(row), SMALL_ROW) + 1
        if left < 0:
            return None
        parts.append(row)
    return f"[{','.join(parts)}]"


class _Row:
    """The row that is being read."""

    size = 0
    """Its characters so far."""

    def lines(self, first: str, others: Iterator[str]) -> Iterator[str]:
        """The lines of the text, as long as no row has too many of them. Raises CsvError."""
        for number, line in enumerate(chain([first], others), 1):
            self.size += len(line)
            if self.size > MAX_ROW:
                raise CsvError(f"The row at line {number} is longer than {MAX_ROW // 1024} KiB.")
            yield line


def _has_name(name: str, cell: str) -> bool:
    """Whether a cell has a place: a column without a name is no column, if it has no value."""
    return bool(name or not cell)


def _check(names: list[str]) -> None:
    named = [name for name in names if name]
    if len(set(named)) < len(named):
        raise CsvError("The header has two columns with the same name.")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
