"""What the program brings along beside its code: questionnaires, notebooks, the facts of an example.

What is installed apart, and what to say where it is not.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from satisfaction.foundation.errors import InstallationError
from satisfaction.foundation.files import decode
from satisfaction.foundation.language import Language, _
from satisfaction.foundation.tables import write_text

FACTS = "surveys/guizhou-2026q3"
NOTEBOOKS = "0*.ipynb"
# what the notebooks hold as shipped
SURVEY_OF_NOTEBOOKS = "../surveys/guizhou-2026q3"
LANGUAGE_OF_NOTEBOOKS = 'language = \\"zh\\"'
# the modules that show whether an extra is installed
EXTRAS = {
    "lab": (
        "ipykernel",
        "ipywidgets",
        "itables",
        "jupyterlab",
        "nbconvert",
        "papermill",
        "pingouin",
        "seaborn",
        "statsmodels",
    ),
}


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
    files = sorted(shipped("questionnaires").glob("*/*.yaml"))
    return {f"{file.parent.name}@{file.stem}": file for file in files}


def write_notebooks(folder: Path, *, survey: str, language: Language) -> list[Path]:
    """Write the numbered notebooks into a folder, except those that lie there already; return what was written.

    Parameters
    ----------
    folder : Path
    survey : str
        Name of the wave below `surveys/`, beside the folder, that they work on.
    language : {"zh", "en"}
        Of their prose.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for notebook in sorted(shipped("notebooks").glob(NOTEBOOKS)):
        target = folder / notebook.name
        if target.exists():
            continue
        text = decode(notebook)
        text = text.replace(SURVEY_OF_NOTEBOOKS, f"../surveys/{survey}")
        text = text.replace(LANGUAGE_OF_NOTEBOOKS, f'language = \\"{language}\\"')
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
    absent = [module for module in EXTRAS[extra] if find_spec(module) is None]
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
