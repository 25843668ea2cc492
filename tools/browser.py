"""Chromium without a window, as the tests of the reference's page and its pictures drive it.

Debian's ``chromium`` and ``chromium-driver``.
Selenium would fetch a browser of its own where it is told of none.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

T = TypeVar("T")
MISSING = "there is no chromium with chromedriver here (Debian: apt install chromium chromium-driver)"
_FLAGS = ("headless", "no-sandbox", "disable-background-networking", "disable-gpu", "hide-scrollbars", "lang=en")


def is_here() -> bool:
    """Whether there is a browser, and what drives it."""
    return all(map(shutil.which, ("chromium", "chromedriver")))


@contextmanager
def running(width: int = 1400, height: int = 900, *, is_dark: bool = False, scale: float = 1) -> Iterator["Browser"]:
    """A browser whose page is that large, in CSS pixels.
    Narrower than 600: a telephone's, with a finger.
    """
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in _FLAGS:
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": width < 600})
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        driver.set_script_timeout(60)
        yield Browser(driver)
    finally:
        driver.quit()


class Browser:
    """A page, and what one does with the reference on it."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def script(self, text: str, *arguments: object) -> Any:
        """What a function's body gives."""
        return self.driver.execute_script(text, *arguments)

    def find(self, css: str, text: str = "") -> WebElement:
        """The first element that is shown and has this text; waited for."""

        def look() -> WebElement | None:
            elements = self.driver.find_elements(By.CSS_SELECTOR, css)
            with suppress(StaleElementReferenceException):  # the page has replaced it meanwhile
                return next((element for element in elements if text in element.text and element.is_displayed()), None)
            return None

        return wait(look, f"{css} {text!r}")

    def open(self, url: str) -> None:
        """Goes to the reference, and waits until it is displayed."""
        self.driver.get("about:blank")
        self.driver.get(url)
        self.find("h1")
        wait(lambda: self.script("return document.readyState === 'complete'"), "the page")

    def try_out(self, key: str) -> None:
        """Opens the request of the operation that the page shows, and puts a key in."""
        self.find("button", "Test Request").click()
        self.find("[role=dialog] input[placeholder=Token]").send_keys(key)

    def send(self) -> str:
        """Sends the request; the answer's text."""
        self.find("[role=dialog] button", "Send").click()
        return self.answer()

    def answer(self) -> str:
        """What the answer shows of its body."""
        body = "[role=dialog] .cm-content[contenteditable=false]"
        return str(wait(lambda: self.script("return document.querySelector(arguments[0])?.textContent", body), body))

    def complaints(self) -> list[str]:
        """What the console has of warnings and errors since it was asked last;
        a broken policy is one.
        """
        return [entry["message"] for entry in self._log("browser") if entry["level"] in ("WARNING", "SEVERE")]

    def requests(self) -> list[str]:
        """The addresses that were asked since it was asked last."""
        events = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        sent = [entry["params"]["request"]["url"] for entry in events if entry["method"] == "Network.requestWillBeSent"]
        return [url for url in sent if not url.startswith(("data:", "about:", "blob:"))]

    def _log(self, name: str) -> list[dict[str, Any]]:
        read: Callable[[str], list[dict[str, Any]]] = self.driver.get_log
        return read(name)


def wait(look: Callable[[], T | None], what: str, seconds: float = 60) -> T:
    """What it gives as soon as it gives something."""
    end = time.monotonic() + seconds
    while not (result := look()):
        assert time.monotonic() < end, f"there is no {what}"
        time.sleep(0.1)
    return result
