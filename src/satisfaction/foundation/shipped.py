"""What the program brings along beside its code: questionnaires, notebooks, the facts of an example.

What is installed apart, and what to say where it is not.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from satisfaction.foundation.errors import InstallationError
from satisfaction.foundation.files import decode
from satisfaction.foundation.language import _
from satisfaction.foundation.tables import write_text

FACTS = "surveys/guizhou-2026q3"  # the wave that the notebooks work on, too
NOTEBOOKS = "0*.ipynb"
SHELVES = ("notebooks", "notebooks/en")
PROGRAM = (".py", ".mo", ".yaml", ".csv", ".html", ".css", ".js", ".txt", ".R")
# the modules that show whether an extra is installed
EXTRAS = {
    "lab": (
        "ipykernel",
        "ipywidgets",
        "jupyterlab",
        "nbconvert",
        "papermill",
        "pingouin",
        "seaborn",
        "statsmodels",
    ),
}


@lru_cache(maxsize=1)
def program_digest() -> str:
    """Return one checksum over the files that decide what is computed and written, alike in a checkout and installed.

    The version of a program stays while it is worked on; its code and its catalogue do not.
    """
    package = Path(__file__).parents[1]
    brought_along = Path(__file__).with_suffix("")
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        if path.suffix in PROGRAM and brought_along not in path.parents:
            digest.update(path.relative_to(package).as_posix().encode())
            digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return f"sha256:{digest.hexdigest()[:12]}"


def shipped(name: str) -> Path:
    """Return a folder that the program brings along: of the installed package, or of the checkout it runs from.

    Parameters
    ----------
    name : str
        "questionnaires", "notebooks", or `FACTS`: areas, frame and margins of Guizhou.
    """
    installed = Path(__file__).parent / "shipped" / name
    if installed.is_dir():
        return installed
    return Path(__file__).parents[3] / name


def shipped_questionnaires() -> dict[str, Path]:
    """Return the questionnaires that the program brings along, by name@version."""
    return questionnaires_in(shipped("questionnaires"))


def questionnaires_in(folder: Path) -> dict[str, Path]:
    """Return the questionnaires of a folder (NAME/VERSION.yaml) by name@version."""
    files = sorted(folder.glob("*/*.yaml"))
    return {f"{file.parent.name}@{file.stem}": file for file in files}


def write_notebooks(root: Path, *, survey: str) -> list[Path]:
    """Write the numbered notebooks of both languages into a project, except those that lie there; return what was written.

    Parameters
    ----------
    root : Path
        The project; the notebooks go into `notebooks` and `notebooks/en`.
    survey : str
        Name of the wave below `surveys/` that they work on.
    """
    written = []
    for shelf in SHELVES:
        (root / shelf).mkdir(parents=True, exist_ok=True)
        for notebook in sorted(shipped(shelf).glob(NOTEBOOKS)):
            target = root / shelf / notebook.name
            if target.exists():
                continue
            text = decode(notebook).replace(FACTS, f"surveys/{survey}")
            write_text(text, target)
            written.append(target)
    return written


def require_extra(extra: str, purpose: str) -> None:
    """Refuse what needs an extra of the package that is not installed.

    Parameters
    ----------
    extra : str
        A key of `EXTRAS`.
    purpose : str
        The command that needs it.

    Raises
    ------
    InstallationError
        Z430 names what is not installed, and how to install it.
    """
    absent = [module for module in EXTRAS[extra] if not find_spec(module)]
    if absent:
        raise InstallationError(
            "Z430",
            _(
                "`{purpose}` needs the extra '{extra}' of this program, which is not installed.",
                purpose=purpose,
                extra=extra,
            ),
            where=", ".join(absent),
            hint=_(
                'Run: pip install "satisfaction[{extra}]" (in a checkout: pip install -e ".[{extra}]").',
                extra=extra,
            ),
        )
