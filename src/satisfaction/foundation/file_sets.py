"""A published file set on disk: complete, unchanged, of a known format; and which one of a survey was handed over."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any, NamedTuple

from satisfaction.foundation.errors import ExportError, InputFileError
from satisfaction.foundation.files import changed_since, locked, new_file, read_json, sha256
from satisfaction.foundation.language import _
from satisfaction.foundation.tables import write_json

FORMAT = "2.0"
"""Version of the file set: the first number rises when a column or file is renamed, removed or changes its meaning."""
READABLE = ("1", "2")
"""First numbers that are read; sets of 1.x hold the same tables, and pages of both languages."""
SUMS = "SHA256SUMS"
KEYS = (
    "format",
    "inputs",
    "versions",
    "revision",
    "survey",
    "wave",
    "questionnaire",
    "mark",
    "rules",
    "responses",
    "estimates",
)
HANDED_OVER = "handed-over.json"
"""Stands in a survey's out/: the file sets that were handed over, the last one in force."""


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a file set of this format.

    Raises
    ------
    InputFileError
        F121, F122; DamagedSetError F422.
    """
    lacking_refused(folder)
    form = read_json(folder / "manifest.json").get("format")
    version = str(form.get("version", "0")) if isinstance(form, dict) else "0"
    if version.split(".")[0] not in READABLE:
        raise InputFileError(
            "F122",
            _(
                "The file set has format {version}; this program reads {FORMAT}.",
                version=version,
                FORMAT=FORMAT,
            ),
            where=folder / "manifest.json",
            available=[FORMAT],
            hint=_("Read it with the version that wrote it, or run the survey again."),
        )
    return read_json(folder / "manifest.json", KEYS)


def lacking_refused(folder: Path) -> None:
    """Refuse a folder that is no complete file set.

    Raises
    ------
    InputFileError
        F121.
    """
    for name in ("manifest.json", "run.json", SUMS):
        if not (folder / name).is_file():
            raise InputFileError(
                "F121",
                _("This is no complete file set: {lacking} is not there.", lacking=name),
                where=folder,
                hint=_("Name a folder that `satisfaction run` wrote."),
            )


def refuse_changed_set(folder: Path) -> None:
    """Refuse a file set of which a file was changed or is missing.

    Raises
    ------
    InputFileError
        F124.
    """
    for name, state in changed_since(folder, folder / SUMS).items():
        if state == "unlisted":
            continue
        fault = _("File {name} was changed after it was written.", name=name)
        if state == "missing":
            fault = _("File {name} is missing.", name=name)
        raise InputFileError(
            "F124",
            fault,
            where=folder,
            hint=_("Ask for the whole set again; do not change files by hand."),
        )


class HandedOver(NamedTuple):
    """A note that a file set was handed over.

    Attributes
    ----------
    folder : Path
        The set.
    revision : int
    date : str
        Day of the note.
    """

    folder: Path
    revision: int
    date: str


def mark_handed_over(folder: Path) -> HandedOver:
    """Note in a survey's out/ that a file set was handed over; the last note is in force, earlier ones stay.

    Raises
    ------
    ExportError
        X430 for a set that lies in no survey's out/.
    """
    folder = folder.resolve()
    if folder.name == "latest":  # a link, or a copy: the dated folder that it stands for
        sums = sha256(folder / SUMS)
        copied = [
            path for path in sorted(folder.parent.glob(f"*Z*/{SUMS}")) if sha256(path) == sums
        ]
        folder = next((path.parent for path in copied), folder)
    shelf = folder.parent
    if shelf.name != "out" or not (shelf.parent / "survey.yaml").is_file():
        raise ExportError(
            "X430",
            _("Only a file set in a survey's out/ can be marked as handed over."),
            where=folder,
            hint=_("A set elsewhere is named itself under `earlier` in survey.yaml."),
        )
    note = {
        "set": folder.name,
        "revision": read_json(folder / "manifest.json", ["revision"])["revision"],
        "sums": sha256(folder / SUMS),
        "date": datetime.date.today().isoformat(),
    }
    path = shelf / HANDED_OVER
    with locked(path):
        notes = _notes(shelf)
        if not notes or notes[-1]["sums"] != note["sums"]:
            with new_file(path, replace=True) as scratch:
                write_json({"handed_over": [*notes, note]}, scratch)
    return handed_over(shelf) or HandedOver(folder, int(note["revision"]), str(note["date"]))


def handed_over(shelf: Path) -> HandedOver | None:
    """Return which set of a survey's out/ was handed over last; None where none was.

    Raises
    ------
    InputFileError
        F124 where the set is gone or was changed since.
    """
    notes = _notes(shelf)
    if not notes:
        return None
    note = notes[-1]
    folder = shelf / str(note["set"])
    sums = folder / SUMS
    if not sums.is_file() or sha256(sums) != note["sums"]:
        raise InputFileError(
            "F124",
            _("The file set {name} is not the one that was handed over.", name=folder.name),
            where=shelf / HANDED_OVER,
            hint=_("Ask for the whole set again; do not change files by hand."),
        )
    return HandedOver(folder, int(note["revision"]), str(note["date"]))


def _notes(shelf: Path) -> list[dict[str, Any]]:
    path = shelf / HANDED_OVER
    if not path.is_file():
        return []
    return list(read_json(path, ["handed_over"])["handed_over"])


def sets_of(shelf: Path, revision: int | None = None) -> list[Path]:
    """Return the complete file sets of a survey's out/, oldest first; those of one revision where one is named."""
    sets = []
    for path in sorted(shelf.glob("*Z*/run.json")):
        folder = path.parent
        of_a_set = (folder / "ranking.csv", folder / "manifest.json")
        if not all(map(Path.is_file, of_a_set)):
            continue
        if revision in (None, read_json(folder / "manifest.json").get("revision")):
            sets.append(folder)
    return sets
