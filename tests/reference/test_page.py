"""The page of the reference in a real browser: how people use it, and what must never happen."""

import time
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from app.server import reference
from tests.support.database import Database, Organization
from tests.support.process import Server
from tools import browser
from tools.browser import Browser, wait

pytestmark = pytest.mark.skipif(not browser.is_here(), reason=browser.MISSING)

AXE = resources.files("axe_playwright_python").joinpath("axe.min.js")


@pytest.fixture(scope="module")
def acme(new_organization: Callable[..., Organization], server: Server) -> Organization:
    """An organization with one lead."""
    organization = new_organization()
    with server.client(organization.keys["write"]) as client:
        assert client.post("/leads", json={"email": "ada@example.com"}).status_code == 201
    return organization


def checked(page: Browser, server: Server) -> Iterator[Browser]:
    """A page. At the end of the test, the console has no message, and no other host was called."""
    page.complaints(), page.requests()
    yield page
    assert page.complaints() == []
    assert {urlsplit(url).netloc for url in page.requests()} == {urlsplit(server.base).netloc}


@pytest.fixture(scope="module")
def desktop() -> Iterator[Browser]:
    with browser.running(1400, 900) as page:
        yield page


@pytest.fixture(scope="module")
def telephone() -> Iterator[Browser]:
    with browser.running(390, 844) as page:
        yield page


@pytest.fixture(scope="module")
def dark() -> Iterator[Browser]:
    with browser.running(1400, 900, is_dark=True) as page:
        yield page


@pytest.fixture
def page(desktop: Browser, server: Server) -> Iterator[Browser]:
    yield from checked(desktop, server)


@pytest.fixture
def small(telephone: Browser, server: Server) -> Iterator[Browser]:
    yield from checked(telephone, server)


@pytest.fixture
def night(dark: Browser, server: Server) -> Iterator[Browser]:
    yield from checked(dark, server)


def faults(page: Browser) -> list[tuple[str, str, Any]]:
    """The serious and critical violations that axe finds. There are no exceptions."""
    page.script(AXE.read_text(encoding="utf-8"))
    results = page.driver.execute_async_script(
        "axe.run(document, {resultTypes: ['violations']}).then(arguments[arguments.length - 1])"
    )
    assert len(results["passes"]) > 10
    return [
        (violation["impact"], violation["id"], [node["target"] for node in violation["nodes"]])
        for violation in results["violations"]
        if violation["impact"] in ("serious", "critical")
    ]


def check_accessible(page: Browser) -> None:
    """Checks that axe finds nothing. While a part of the page is faded in, its contrast is too low."""
    end = time.monotonic() + 20
    while (found := faults(page)) and time.monotonic() < end:
        time.sleep(0.5)
    assert found == []


def is_fitting(page: Browser) -> bool:
    return bool(page.script("return document.documentElement.scrollWidth <= innerWidth"))


def background(page: Browser) -> int:
    """The brightness of the background, from 0 to 255."""
    color = page.script("return getComputedStyle(document.body).getPropertyValue('--scalar-background-1')").strip()
    return int(color[1:3] if len(color) == 7 else color[1] * 2, 16)


def operation(server: Server) -> str:
    return f"{server.base}/docs#tag/leads/GET/leads"


def test_it_shows_the_guide_and_every_operation(page: Browser, server: Server) -> None:
    page.open(f"{server.base}/docs")
    assert page.driver.title == "Leads API"
    for chapter in ("Quickstart", "Keys", "Errors", "Paging", "Idempotency", "Concurrency", "Changelog", "Error codes"):
        page.find("h2", chapter)
    document = httpx.get(f"{server.base}/openapi.json").json()
    links = "return [...document.querySelectorAll('a[href^=\"#tag/\"]')].map(a => a.hash.slice(5))"
    tags = {tag["name"].lower().replace(" ", "-") for tag in document["tags"]}
    wait(lambda: tags <= set(page.script(links)), "link to each tag")
    assert page.find("h1").text == document["info"]["title"]


def test_it_begins_with_what_the_api_is_and_leads_to_the_changelog(page: Browser, server: Server) -> None:
    page.open(f"{server.base}/docs")
    first = page.find("h2", "Quickstart")
    above = page.script(
        "const isAbove = p => p.compareDocumentPosition(arguments[0]) & Node.DOCUMENT_POSITION_FOLLOWING;"
        "return [...document.querySelectorAll('p')].filter(isAbove).map(p => p.textContent)",
        first,
    )
    assert any(text.startswith("The Leads API stores the leads of a company") for text in above)
    page.find("aside a", "Introduction").click()
    page.find("aside a", "Changelog").click()
    link = page.find("a[href$='/docs/changelog']", "changelog")
    assert link.text == "changelog"
    page.open(link.get_attribute("href") or "")
    assert page.find("h1").text == "Changelog"
    page.find("a[href='/docs']", "API reference").click()
    page.find("h2", "Quickstart")


def test_the_changelog_is_readable_everywhere(page: Browser, night: Browser, small: Browser, server: Server) -> None:
    for each in (page, night, small):
        each.open(f"{server.base}/docs/changelog")
        each.find("h1", "Changelog")
        check_accessible(each)
        assert is_fitting(each)


def test_the_samples_are_in_curl_python_and_javascript(page: Browser, server: Server) -> None:
    page.open(f"{server.base}/docs")
    tabs = [page.find("[role=tab]", name).text for name in ("Shell", "Python", "JavaScript")]
    assert len(tabs) == 3
    page.open(operation(server))
    assert "curl" in page.find("button", "Shell Curl").text.lower()


def test_the_page_sends_a_request_with_the_key_of_the_reader(page: Browser, server: Server, acme: Organization) -> None:
    page.open(operation(server))
    page.try_out(acme.keys["read"])
    assert "ada@example.com" in page.send()
    assert "200 OK" in page.find("[role=dialog] section, [role=dialog]", "200 OK").text
    check_accessible(page)


def test_the_page_stores_no_key(page: Browser, server: Server, acme: Organization) -> None:
    page.open(operation(server))
    page.try_out(acme.keys["read"])
    page.send()
    stored = page.script(
        "return JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])"
    )
    assert acme.keys["read"] not in stored


def test_the_page_works_with_only_the_keyboard(page: Browser, server: Server, acme: Organization) -> None:
    page.open(operation(server))
    page.find("button", "Test Request")

    def until(name: str, steps: int = 80) -> None:
        for _ in range(steps):
            ActionChains(page.driver).send_keys(Keys.TAB).perform()
            if name in page.script(
                "const e = document.activeElement; return `${e.textContent} ${e.placeholder ?? ''}`"
            ):
                return
        raise AssertionError(f"{name} can't be reached")

    page.script("document.querySelector('section[id$=\"GET/leads\"]')?.scrollIntoView()")
    until("Test Request", 120)
    ActionChains(page.driver).send_keys(Keys.ENTER).perform()
    page.find("[role=dialog] input[placeholder=Token]")
    until("Token")
    ActionChains(page.driver).send_keys(acme.keys["read"]).perform()
    ActionChains(page.driver).key_down(Keys.CONTROL).send_keys(Keys.ENTER).key_up(Keys.CONTROL).perform()
    assert '"next_cursor"' in page.answer()
    ActionChains(page.driver).send_keys(Keys.ESCAPE).perform()
    wait(
        lambda: not any(dialog.is_displayed() for dialog in page.driver.find_elements("css selector", "[role=dialog]")),
        "way back",
    )
    wait(lambda: "Test Request" in page.script("return document.activeElement.textContent"), "focus on the button")


@pytest.mark.parametrize("code", ["not_found", "idempotency_key_reused", "internal"])
def test_the_type_of_a_problem_leads_to_its_code(page: Browser, server: Server, code: str) -> None:
    page.open(f"{server.base}/docs#{code}")
    check_led_to(page, code)


def test_the_type_of_another_problem_works_on_the_open_page(page: Browser, server: Server) -> None:
    page.open(f"{server.base}/docs")
    page.script("location.hash = 'erased'")
    check_led_to(page, "erased")


def check_led_to(page: Browser, code: str) -> None:
    wait(
        lambda: page.driver.current_url.endswith(f"#{code}") and page.script("return document.activeElement.cells"),
        code,
    )
    assert page.script("return document.activeElement.cells[0].textContent").strip() == code
    shown = "const top = document.activeElement.getBoundingClientRect().top; return 0 < top && top < innerHeight"
    wait(lambda: page.script(shown), f"row of {code} in the window")


def test_every_code_has_a_row(page: Browser, server: Server, database: Database) -> None:
    page.open(f"{server.base}/docs")
    page.find("h2", "Error codes")
    rows = page.script("return [...document.querySelectorAll('td:first-child > code')].map(one => one.textContent)")
    codes = {row["code"] for row in database.sql("select distinct code from api.problem")}
    assert codes == set(rows)


def test_the_page_fits_a_telephone(small: Browser, server: Server, acme: Organization) -> None:
    small.open(f"{server.base}/docs")
    small.find("h2", "Error codes")
    assert is_fitting(small)
    check_accessible(small)
    small.open(operation(server))
    small.find("button", "Test Request")
    assert is_fitting(small)
    small.try_out(acme.keys["read"])
    assert "ada@example.com" in small.send()
    assert is_fitting(small)
    check_accessible(small)


def test_the_page_follows_the_dark_mode(page: Browser, night: Browser, server: Server) -> None:
    page.open(f"{server.base}/docs")
    night.open(f"{server.base}/docs")
    wait(lambda: background(night) < 40 and background(page) > 200, "dark page")


@pytest.mark.parametrize("place", ["", "#not_found", "#tag/leads/GET/leads", "#tag/leads/POST/leads", "#models"])
def test_axe_finds_no_serious_violation(page: Browser, night: Browser, server: Server, place: str) -> None:
    for each in (page, night):
        each.open(f"{server.base}/docs{place}")
        each.find("button" if "tag" in place else "h2", "Test Request" if "tag" in place else "Keys")
        check_accessible(each)


def test_axe_and_the_policy_are_active(desktop: Browser, server: Server) -> None:
    desktop.open(f"{server.base}/docs")
    desktop.script(
        "document.querySelector('h1').insertAdjacentHTML('afterend', '<img src=\"data:,\"><p onclick=\"1\">')"
    )
    assert [fault[1] for fault in faults(desktop)] == ["image-alt"]
    desktop.complaints()
    desktop.script(
        "const s = document.createElement('script'); s.textContent = 'document.title = 1'; document.body.append(s);"
        "fetch('http://127.0.0.2/').catch(() => 0)"
    )
    complaints = wait(lambda: desktop.complaints() or None, "complaint")
    assert "Content Security Policy" in " ".join(complaints)
    assert desktop.driver.title == "Leads API"


def test_the_policy_allows_no_other_host() -> None:
    assert "http" not in reference.POLICY
    assert "*" not in reference.POLICY
    assert "unsafe-eval" not in reference.POLICY
