"""JupyterLab on the project's notebooks, with settings of its own: the user's stay as they are, nothing is asked from outside."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from satisfaction.foundation.files import scratch_folder
from satisfaction.foundation.language import Language, Text, _
from satisfaction.foundation.shipped import require_extra, write_notebooks
from satisfaction.foundation.tables import write_json
from satisfaction.notebook.launcher import find_waves, project_root
from satisfaction.notebook.notebooks import shelf_of

START = "00_start.ipynb"
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    }
}
PATIENCE = 20  # seconds the server may take to end
QUIET = (
    "--ServerApp.port_retries=0",
    "--LabApp.extension_manager=readonly",
    "--LabApp.news_url=None",
    "--ServerApp.log_level=WARN",
)


def serve(
    folder: Path,
    *,
    language: Language = "zh",
    browser: bool = True,
    tell: Callable[[Text], object] = print,
) -> int:
    """Serve the project around a folder until the server is stopped; returns its exit code.

    It opens the first notebook of a language.

    Raises
    ------
    InstallationError
        Z430 where the extra `lab` is not installed.
    InputFileError
        F118 where there is no project.
    """
    require_extra("lab", "satisfaction lab")
    root = project_root(folder, holding=("surveys",))
    for notebook in add_notebooks(root):
        tell(_("notebook: {path}", path=notebook))
    with scratch_folder("satisfaction-lab") as home:
        port = free_port()
        token = secrets.token_hex(16)
        address = f"http://127.0.0.1:{port}/lab/tree/{start_of(language)}?token={token}"
        tell(_("JupyterLab: {address}\nTo stop: Ctrl+C", address=address))
        environment = os.environ | private_folders(home) | {"JUPYTER_TOKEN": token}
        starting = command(root, port=port, browser=browser, language=language)
        with subprocess.Popen(starting, env=environment) as running:
            try:
                return running.wait()
            finally:
                stop(running)


def add_notebooks(root: Path) -> list[Path]:
    """Write the notebooks the program brings along into a project that has no first one; return what was written.

    They open the project's first wave.
    """
    waves = find_waves(root)
    if (root / "notebooks" / START).is_file() or not waves:
        return []
    first = waves[0].folder.name
    return write_notebooks(root, survey=first)


def stop(running: subprocess.Popen[bytes]) -> None:
    """Let the server end its kernels and itself, by force only where it does not."""
    running.terminate()
    try:
        running.wait(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        running.kill()


def start_of(language: Language) -> str:
    """Return the first notebook of a language."""
    return (shelf_of(language) / START).as_posix()


def command(root: Path, *, port: int, browser: bool, language: Language = "zh") -> list[str]:
    """Return the command that starts the server; its token stands in JUPYTER_TOKEN, where no list of processes shows it."""
    as_root = ["--allow-root"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    shown = (
        [f"--LabApp.default_url=/lab/tree/{start_of(language)}"] if browser else ["--no-browser"]
    )
    where = [f"--ServerApp.root_dir={root}", "--ip=127.0.0.1", f"--port={port}"]
    return [sys.executable, "-m", "jupyterlab", *where, *QUIET, *shown, *as_root]


def private_folders(home: Path) -> dict[str, str]:
    """Write the settings into a folder of their own and return the environment that points there."""
    for name, settings in SETTINGS.items():
        path = home / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(settings, path)
    names = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
    }
    names |= {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}
    return {variable: str(home / name) for variable, name in names.items()}


def free_port() -> int:
    """Return a port of this machine that nobody uses."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
