"""The launcher of an installed wheel, in a real browser: the form shows by itself and runs the example.

    python tests/lab_from_wheel.py PROJECT

The interpreter that runs this has the wheel with its extra `lab`, and playwright; Chromium is the system's. Nothing of the
repository is imported. `.ci/run wheel` calls it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page, sync_playwright

PATIENCE = 180_000  # milliseconds
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]


def address_of(running: subprocess.Popen[str]) -> str:
    """Return the address that the command prints, its token with it."""
    assert running.stdout is not None
    for line in running.stdout:
        address = re.search(r"http://127\.0\.0\.1:\S+", line)
        if address:
            return address.group()
    raise SystemExit("satisfaction lab printed no address")


def opened(page: Page, address: str) -> None:
    """Open the address once the server answers."""
    for _attempt in range(60):
        try:
            page.goto(address)
            return
        except Exception:  # refused as long as the server starts
            page.wait_for_timeout(1000)
    raise SystemExit("the server did not answer")


def main(project: Path) -> None:
    """Open the launcher, run the example from its form, and look for its report."""
    environment = os.environ | {"SATISFACTION_LANG": "en"}
    command = [sys.executable, "-m", "satisfaction", "lab", str(project), "--no-browser"]
    running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    outside = []
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=FLAGS
            )
            page = browser.new_page()
            page.set_default_timeout(PATIENCE)
            page.on("request", lambda request: outside.append(urlsplit(request.url).hostname))
            opened(page, address_of(running))
            page.get_by_role("button", name="run", exact=True).click()
            page.wait_for_selector(".jp-OutputArea .satisfaction-table[data-ready]")
            browser.close()
    finally:
        running.terminate()
        running.wait(timeout=60)
    reports = list(project.rglob("out/latest/report*.html"))
    assert reports, f"no report below {project}"
    strangers = {host for host in outside if host} - {"127.0.0.1"}
    assert not strangers, f"asked from outside: {strangers}"
    print(
        f"lab from the wheel: the form ran {reports[0].parents[2].name}, nothing asked from outside"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
