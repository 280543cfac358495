"""Commands: JupyterLab."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click

from .options import FOLDER


@click.command()
@click.argument("folder", type=FOLDER, default=Path())
@click.option("--no-browser", is_flag=True, help="只打印网址 only print the address")
def lab(folder: Path, no_browser: bool) -> None:
    """在 JupyterLab 中打开项目：先选一期调查，再运行。 Open the project in JupyterLab: choose a wave, run it."""
    from ..lab import serve

    # as Ctrl+C does: the server and its temporary folder go with the command
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if code := serve(folder, browser=not no_browser, tell=click.echo):
        sys.exit(code)
