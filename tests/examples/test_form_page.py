"""The page in docs/examples sends its form, with and without its script."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.settings import ROOT
from tests.support.database import Organization
from tests.support.process import Server
from tools import browser
from tools.browser import Browser, wait

pytestmark = pytest.mark.skipif(not browser.is_here(), reason=browser.MISSING)

PAGE = ROOT / "docs" / "examples" / "form.html"
ADDRESS = "http://127.0.0.1:8000/in/TOKEN"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Writes nothing."""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the origin that serves it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path))) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield tmp_path, f"http://127.0.0.1:{web.server_port}"
        web.shutdown()


@pytest.fixture(scope="module")
def page() -> Iterator[Browser]:
    with browser.running(390, 844) as page:
        yield page


def fill(page: Browser, **values: str) -> None:
    for name, value in values.items():
        page.find(f"[name={name}]").send_keys(value)
    page.find("button").click()


@pytest.mark.parametrize("has_script", [True, False])
def test_the_page_sends_a_lead(
    server: Server, acme: Organization, folder: tuple[Path, str], page: Browser, has_script: bool
) -> None:
    place, origin = folder
    with server.client(acme.keys["admin"]) as client:
        settings = {"origins": [origin], "honeypot": "website", "redirect_url": f"{origin}/thanks.html"}
        form = client.post("/forms", json=settings).json()
        text = PAGE.read_text(encoding="utf-8")
        assert text.count(ADDRESS) == 1
        text = text.replace(ADDRESS, server.base + form["address"])
        if not has_script:
            text = text[: text.index("<script>")] + text[text.index("</script>") :]
        (place / "form.html").write_text(text, encoding="utf-8")
        (place / "thanks.html").write_text("<title>Thanks</title>", encoding="utf-8")
        page.open(f"{origin}/form.html")
        email = f"dana.{has_script}@example.com".lower()
        fill(page, name="Dana Whitfield", email=email, phone="+1 555 010 0142", roof_age="12", message="Two tiles")
        if has_script:
            page.find("#answer", "Thank you")
        else:
            wait(lambda: page.driver.title == "Thanks", "page of thanks")
        [lead] = client.get("/leads", params={"email": email}).json()["data"]
        details = client.get(f"/leads/{lead['id']}/details").json()
        assert (details["phone"], details["details"]) == ("+1 555 010 0142", {"roof_age": "12"})


def test_the_page_names_no_other_host() -> None:
    assert {part.partition('"')[0] for part in PAGE.read_text().split('="http')[1:]} == {ADDRESS.removeprefix("http")}
    assert httpx.URL(ADDRESS).host == "127.0.0.1"
