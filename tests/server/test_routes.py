import pytest

from app.server.postgres import Statement
from app.server.routes import Route, Table


def table(*lines: tuple[str, str]) -> Table:
    table = Table({})
    for method, path in lines:
        table = table.with_route(Route(method, path, b"read", method == "GET", (), Statement(path.encode(), b"")))
    return table


TABLE = table(
    ("GET", "/leads"),
    ("POST", "/leads"),
    ("GET", "/leads/{id}"),
    ("PATCH", "/leads/{id}"),
    ("GET", "/leads/export"),
    ("POST", "/leads/{id}/score"),
    ("PUT", "/leads/by/{name}"),
    ("GET", "/a/{x}/b/{y}"),
    ("GET", "/a/{x}/c/{z}"),
)


@pytest.mark.parametrize(
    ("path", "found", "parameters"),
    [
        ("/leads", {"GET": "/leads", "POST": "/leads"}, {}),
        ("/leads/1", {"GET": "/leads/{id}", "PATCH": "/leads/{id}"}, {"id": "1"}),
        ("/leads/{id}", {"GET": "/leads/{id}", "PATCH": "/leads/{id}"}, {"id": "{id}"}),
        ("/leads/export", {"GET": "/leads/export"}, {}),
        ("/leads/score", {"GET": "/leads/{id}", "PATCH": "/leads/{id}"}, {"id": "score"}),
        ("/leads/export/score", {"POST": "/leads/{id}/score"}, {"id": "export"}),
        ("/leads/by/score", {"PUT": "/leads/by/{name}"}, {"name": "score"}),
        ("/a/1/b/2", {"GET": "/a/{x}/b/{y}"}, {"x": "1", "y": "2"}),
        ("/a/1/c/2", {"GET": "/a/{x}/c/{z}"}, {"x": "1", "z": "2"}),
    ],
)
def test_a_path_is_found_by_its_shape(path: str, found: dict[str, str], parameters: dict[str, str]) -> None:
    match = TABLE.match(path)
    assert match
    assert {method: route.path for method, route in match.routes.items()} == found
    assert match.parameters == parameters


@pytest.mark.parametrize(
    "path", ["", "/", "leads", "/lead", "/leads/", "//leads", "/leads//score", "/leads/1/", "/leads/1/2", "/a//b/1"]
)
def test_a_path_without_a_shape_is_not_found(path: str) -> None:
    assert TABLE.match(path) is None


def test_the_routes_of_a_path_use_the_same_parameter_names() -> None:
    with pytest.raises(ValueError, match="calls the path's parameters id"):
        table(("GET", "/leads/{id}"), ("DELETE", "/leads/{lead_id}"))
