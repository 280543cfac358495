"""The waves and questionnaires of a project folder, and how each wave stands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import DamagedSetError, InputFileError, SatisfactionError
from ..io.files import read_json
from ..survey import read_declared


@dataclass(frozen=True, slots=True)
class Wave:
    """One survey folder as the launcher lists it.

    Attributes
    ----------
    folder : Path
    title : (str, str)
        Chinese and English; for a folder that cannot be read what is wrong with it.
    wave, questionnaire, selection, mark : str
    finished : str
        When the latest run was finished, ISO text; empty without one.
    revision : int or None
    readable : bool
    """

    folder: Path
    title: tuple[str, str]
    wave: str = ""
    questionnaire: str = ""
    selection: str = ""
    mark: str = ""
    finished: str = ""
    revision: int | None = None
    readable: bool = True


def project_root(start: Path) -> Path:
    """Return the nearest folder at or above `start` that has `surveys` and `notebooks`.

    Raises
    ------
    InputFileError
        F118 when there is none.
    """
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / "surveys").is_dir() and (folder / "notebooks").is_dir():
            return folder
    raise InputFileError(
        "F118",
        "这里不是项目文件夹：没有 surveys/ 和 notebooks/。",
        "This is no project folder: there are no surveys/ and notebooks/.",
        where=str(start),
        hint=(
            "进入项目文件夹，或写明它: satisfaction lab <文件夹>。",
            "Go to the project folder, or name it: satisfaction lab <folder>.",
        ),
    )


def find_waves(root: Path) -> list[Wave]:
    """List the survey folders by name."""
    return [_wave(path.parent) for path in sorted((root / "surveys").glob("*/survey.yaml"))]


def find_questionnaires(root: Path) -> list[str]:
    """List the questionnaires as name@version."""
    return sorted(f"{path.parent.name}@{path.stem}" for path in (root / "questionnaires").glob("*/*.yaml"))


def _wave(folder: Path) -> Wave:
    try:
        _, declared, _ = read_declared(folder)
    except SatisfactionError as fault:
        return Wave(folder, (fault.zh, fault.en), readable=False)
    simulated = "模拟 simulated" if declared.simulated else ""
    finished, revision = _latest(folder)
    title = (declared.title.zh, declared.title.en)
    return Wave(folder, title, declared.wave, declared.questionnaire, declared.selection, simulated, finished, revision)


def _latest(folder: Path) -> tuple[str, int | None]:
    path = folder / "out" / "latest" / "run.json"
    if not path.is_file():
        return "", None
    try:
        told = read_json(path)
    except DamagedSetError:
        return "", None
    return str(told.get("finished", "")), told.get("revision")
