"""Chromium for the tests of the pages."""

import os
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

PICTURES = Path(__file__).parents[2] / "target/tests/pictures"
ARGUMENTS = [
    "--no-sandbox",  # root has no sandbox to fall back on
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # Nothing but the pages under test is asked for anything.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def program() -> str:
    """Where Chromium is."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    assert found, "no Chromium: install it (on Debian: apt-get install chromium) or set CHROMIUM to its path"
    return found


@pytest.fixture(scope="session")
def chromium():
    """Debian's Chromium, started once."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def browse(chromium, request):
    """Opens windows, each of a browser of its own: `browse(java_script_enabled=False)`. What goes wrong in any page
    (a script or style that the policy refuses, a request to elsewhere) fails the test at its end."""
    windows, complaints = [], []

    def open_window(**options):
        context = chromium.new_context(**options)
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: None if is_local(asked.url) else complaints.append(f"asked for {asked.url}"))
        windows.append((context, page))
        return page

    yield open_window

    failed = getattr(request.node, "report", None) is None or request.node.report.failed
    for number, (context, page) in enumerate(windows):
        if failed:
            PICTURES.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=PICTURES / f"{request.node.name}-{number}.png", full_page=True)
        context.close()
    # A page that answers 4xx is reported by Chromium as a failed resource: that is what those pages are.
    complaints = [text for text in complaints if "the server responded with a status of 4" not in text]
    assert complaints == []


def is_local(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "data:", "about:", "chrome-error:"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call":
        item.report = report
    return report
