"""Takes the pictures of the reference: docs/reference_*.png.

    python -m tools.screenshots

Of a server of its own, with the demo's leads, on port 8000, which the pictures show.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from app.settings import ROOT
from tools import browser

BASE = "http://127.0.0.1:8000"
FOLDER = ROOT / "docs"


@contextmanager
def serving() -> Iterator[str]:
    """A server with the demo's leads; the key of them."""
    with tempfile.TemporaryDirectory(prefix="leads-") as folder:
        # Root's PostgreSQL runs as another user, who must pass here.
        Path(folder).chmod(0o755)
        command = [sys.executable, "-m", "app", "serve", "--port", "8000", "--no-worker"]
        environ = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environ | {"LEADS_DATA_DIR": folder},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while True:
                if process.poll() is not None:
                    raise SystemExit("The server didn't start; leads serve says why. Is port 8000 free?")
                try:
                    httpx.get(f"{BASE}/readyz").raise_for_status()
                    break
                except httpx.HTTPError:
                    time.sleep(0.2)
            yield (Path(folder) / "demo-key").read_text().strip()
        finally:
            process.terminate()
            process.wait()


def take(page: browser.Browser, name: str) -> None:
    """Keeps what the page shows."""
    page.script("document.activeElement.blur()")
    time.sleep(1)
    path = FOLDER / f"reference_{name}.png"
    page.driver.save_screenshot(str(path))
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")


def main() -> None:
    """Takes all three."""
    if not browser.is_here():
        raise SystemExit(f"No picture is taken: {browser.MISSING}.")
    operation = f"{BASE}/docs#tag/leads/GET/leads"
    with serving() as key:
        with browser.running(1400, 900) as page:
            page.open(operation)
            page.find("button", "Test Request")
            take(page, "desktop")
        with browser.running(390, 844, scale=2) as page:
            page.open(f"{BASE}/docs")
            take(page, "telephone")
        with browser.running(1400, 900, is_dark=True) as page:
            page.open(operation)
            page.try_out(key)
            page.send()
            take(page, "dark")


if __name__ == "__main__":
    main()
