"""The files of responses that a survey reads, and all others beside them, each with the reason why it is not read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from satisfaction.declarations.wave import SurveyFile
from satisfaction.foundation.figures import Brief
from satisfaction.foundation.files import files_below, matching, path_below
from satisfaction.foundation.grids import DOCUMENTS, READ
from satisfaction.foundation.language import Text, _

FOLDER = "responses"
WILD = frozenset("*?[")
READABLE = frozenset({*READ, ".sav", ".zsav"})


@dataclass(frozen=True, slots=True)
class Unread:
    """A file beside the responses that is not read.

    Attributes
    ----------
    file : str
        Path below the survey folder.
    why : Text
        Why it is not read.
    stops : bool
        Whether a run stops, because answers may stand in it.
    """

    file: str
    why: Text
    stops: bool


@dataclass(frozen=True, slots=True, repr=False)
class Delivered(Brief):
    """What lies in the folders of responses.

    Attributes
    ----------
    files : tuple of Path
        To be read, in reading order.
    unread : tuple of Unread
    unmatched : tuple of str
        Patterns of `files` without a file.
    """

    files: tuple[Path, ...]
    unread: tuple[Unread, ...]
    unmatched: tuple[str, ...]


def find_delivered(folder: Path, declared: SurveyFile) -> Delivered:
    """Look for the files of responses: every pattern's in name order, without those that `ignore` names.

    A pattern with a wildcard takes only files of a kind that is read; a file named in full is taken whatever it is.
    """
    ignored: set[Path] = set()
    unread: list[Unread] = []
    for pattern in declared.ignore:
        named = matching(folder, pattern)
        ignored.update(named)
        if not named and "#" not in pattern:
            why = _("listed under `ignore` in survey.yaml, but there is no such file")
            unread.append(Unread(pattern, why, stops=False))
    files: list[Path] = []
    unmatched: list[str] = []
    folders = [FOLDER]
    for entry in declared.files:
        wild = WILD & set(entry.pattern)
        matches = []
        for path in matching(folder, entry.pattern):
            readable = not wild or path.suffix.lower() in READABLE
            if readable and path not in ignored:
                matches.append(path)
        if not matches:
            unmatched.append(entry.pattern)
        files += matches
        first, *below = PurePosixPath(entry.pattern).parts or (".",)
        if below and first not in (".", "..") and WILD.isdisjoint(first):
            folders.append(first)
    files = list(dict.fromkeys(files))
    for name in dict.fromkeys(folders):
        for path in files_below(folder / name):
            if path not in files:
                unread.append(_unread(path, folder, ignored=path in ignored))
    return Delivered(tuple(files), tuple(unread), tuple(unmatched))


def _unread(path: Path, folder: Path, *, ignored: bool) -> Unread:
    file = path_below(folder, path)
    kind = path.suffix.lower()
    if ignored:
        return Unread(file, _("listed under `ignore` in survey.yaml"), stops=False)
    if kind in DOCUMENTS:
        return Unread(file, _("a document, picture or recording, no table"), stops=False)
    if kind in READABLE:
        return Unread(file, _("not among `files` in survey.yaml"), stops=True)
    if not kind:
        return Unread(file, _("files without an extension are not read"), stops=True)
    return Unread(file, _("files of type '{kind}' are not read", kind=kind), stops=True)
