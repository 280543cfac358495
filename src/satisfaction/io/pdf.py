"""Pages to PDF by a browser that is there, with Chinese glyphs whatever fonts the machine has."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pylopdf_fonts_zh_cn
from tqdm import tqdm

from ..errors import ExportError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge", "microsoft-edge")
PLACES = (
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
QUIET = (
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-pdf-header-footer", "--virtual-time-budget=10000",
)  # fmt: skip
PATIENCE = 120  # seconds a page may take


def find_browser() -> str:
    """Return the browser that prints pages.

    Raises
    ------
    ExportError
        X141 where there is none.
    """
    found = next(filter(None, map(shutil.which, NAMES)), None) or next(filter(os.path.isfile, PLACES), None)
    if found is None:
        raise ExportError(
            "X141",
            "没有找到可以打印 PDF 的浏览器。",
            "There is no browser to print PDF with.",
            where="--pdf",
            available=NAMES,
            hint=(
                "安装 Chromium、Chrome 或 Edge；或不写 --pdf，在浏览器里打开页面后打印。",
                "Install Chromium, Chrome or Edge; or leave out --pdf and print the pages from a browser.",
            ),
        )
    return found


def print_pages(browser: str, pages: Sequence[Path]) -> None:
    """Print each page to a .pdf beside it.

    Raises
    ------
    ExportError
        X142 names a page that was not printed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        fonts = Path(scratch) / "data" / "fonts"
        fonts.mkdir(parents=True)
        shutil.copy(pylopdf_fonts_zh_cn.sans_path(), fonts)
        environment = os.environ | {"XDG_DATA_HOME": str(fonts.parent)}
        as_root = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
        for page in tqdm(pages, desc="PDF", disable=None, leave=False):
            target = page.with_suffix(".pdf")
            asked = [
                browser,
                *QUIET,
                *as_root,
                f"--user-data-dir={scratch}/profile",
                f"--print-to-pdf={target}",
                page.resolve().as_uri(),
            ]
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(asked, env=environment, timeout=PATIENCE, check=False, capture_output=True)
            if not target.is_file():
                raise ExportError(
                    "X142",
                    f"浏览器没有打印出 {page.name}。",
                    f"The browser did not print {page.name}.",
                    where=browser,
                    hint=("在浏览器里打开该页面后打印。", "Open the page in a browser and print it."),
                )
