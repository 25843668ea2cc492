from collections.abc import Callable

from conftest import Organization, Server


def test_it_answers(server: Server, new_organization: Callable[..., Organization]) -> None:
    acme = new_organization()
    with server.client(acme.keys["write"]) as client:
        made = client.post("/leads", json={"email": "a@example.com"})
        assert made.status_code == 201
        assert client.get(made.headers["location"].removeprefix("/api/v1")).json()["email"] == "a@example.com"
