import json
import re

import pytest

from app import log


def test_a_line_is_one_line_of_json_whatever_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    log.request(b"r-1", "GET", '/a"\n\u2028é\x1b[31m', 404, 0.0123456)
    log.write("error", message="a\nb", cause=ValueError("x"))
    out, err = capsys.readouterr()
    assert out == ""
    first, second = (json.loads(line) for line in err.splitlines())
    assert err.isascii()
    assert "\x1b" not in err
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("time"))
    assert first == {
        "level": "info",
        "request_id": "r-1",
        "method": "GET",
        "path": '/a"\n\u2028é\x1b[31m',
        "status": 404,
        "ms": 12.35,
    }
    assert (second["level"], second["message"], second["cause"]) == ("error", "a\nb", "x")
