"""JupyterLab on the project's notebooks, with settings of its own: the user's stay as they are, nothing is asked from outside."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from satisfaction.foundation.errors import DamagedSetError
from satisfaction.foundation.files import read_json, scratch_folder
from satisfaction.foundation.language import Language, Text, _
from satisfaction.foundation.pages import fill
from satisfaction.foundation.shipped import require_extra, write_notebooks
from satisfaction.foundation.tables import write_json, write_text
from satisfaction.notebook.launcher import find_waves
from satisfaction.notebook.notebooks import project_root, shelf_of

START = "00_start.ipynb"
LOCALES: dict[Language, str] = {"zh": "zh_CN", "en": "en"}
"""JupyterLab's own words; the Chinese ones come from its language pack."""
DOOR = "satisfaction-door"
"""What runs the first notebook when it is opened, as JupyterLab loads it: a package of a script and what describes it."""
DOOR_PACKAGE = {
    "name": DOOR,
    "version": "1.0.0",
    "jupyterlab": {
        "extension": True,
        "_build": {"load": "static/door.js", "extension": "./extension"},
    },
}
LANGUAGE_CELLS = ('language = "zh"', 'language = "en"')
LAUNCH_CELL = """from satisfaction.notebook.launcher import launch

launch(language=language)"""
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
        folders = private_folders(home, language=language)
        if untouched(root / start_of(language)):
            add_door(folders, start_of(language))
        else:
            tell(
                _(
                    "{notebook} has cells of your own; it does not run by itself: Run > Run All Cells.",
                    notebook=start_of(language),
                )
            )
        environment = os.environ | folders | {"JUPYTER_TOKEN": token}
        starting = server_command(root, port=port, browser=browser, language=language)
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


def server_command(root: Path, *, port: int, browser: bool, language: Language = "zh") -> list[str]:
    """Return the command that starts the server; its token stands in JUPYTER_TOKEN, where no list of processes shows it."""
    as_root = ["--allow-root"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    shown = (
        [f"--LabApp.default_url=/lab/tree/{start_of(language)}"] if browser else ["--no-browser"]
    )
    where = [f"--ServerApp.root_dir={root}", "--ip=127.0.0.1", f"--port={port}"]
    return [sys.executable, "-m", "jupyterlab", *where, *QUIET, *shown, *as_root]


def private_folders(home: Path, *, language: Language = "zh") -> dict[str, str]:
    """Write the settings into a folder of their own and return the environment that points there."""
    notification = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
    settings: dict[str, dict[str, Any]] = {
        "@jupyterlab/apputils-extension/notification": notification,
        "@jupyterlab/translation-extension/plugin": {"locale": LOCALES[language]},
    }
    for name, values in settings.items():
        path = home / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(values, path)
    names = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
    }
    names |= {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}
    return {variable: str(home / name) for variable, name in names.items()}


def add_door(folders: dict[str, str], notebook: str) -> None:
    """Let JupyterLab run one notebook by itself when it is opened, and no other.

    Parameters
    ----------
    folders : dict of str to str
        The environment of the server, as `private_folders` returns it.
    notebook : str
        Its place below the server's folder.
    """
    package = Path(folders["JUPYTER_DATA_DIR"], "labextensions", DOOR)
    script = package / "static" / "door.js"
    script.parent.mkdir(parents=True)
    write_json(DOOR_PACKAGE, package / "package.json")
    write_text(fill("door.js", {"notebook": notebook, "name": DOOR}), script)


def untouched(notebook: Path) -> bool:
    """Return whether a first notebook has no other code than the one shipped, whatever its language.

    Only such a notebook may run without being asked: a project may come from anywhere.
    """
    try:
        cells = read_json(notebook)["cells"]
        code = ["".join(cell["source"]).strip() for cell in cells if cell["cell_type"] == "code"]
    except (DamagedSetError, KeyError, TypeError):
        return False
    return len(code) == 2 and code[0] in LANGUAGE_CELLS and code[1] == LAUNCH_CELL


def free_port() -> int:
    """Return a port of this machine that nobody uses."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
