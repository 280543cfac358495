"""The files of responses that a survey reads, and all others beside them, each with the reason why it is not read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..io.files import files_below, matching, path_below
from ..io.grids import READ
from .declared import SurveyFile

READABLE = frozenset({*READ, ".sav", ".zsav"})
TEXTS = (".pdf", ".doc", ".docx", ".wps", ".ppt", ".pptx", ".dps", ".md")
PICTURES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".heic")
RECORDINGS = (".mp3", ".m4a", ".amr", ".wav", ".mp4", ".mov")
DOCUMENTS = frozenset({*TEXTS, *PICTURES, *RECORDINGS})  # no table of answers stands in these
FOLDER = "responses"
WILD = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Unread:
    """A file beside the responses that is not read.

    Attributes
    ----------
    file : str
        Path below the survey folder.
    zh, en : str
        Why it is not read.
    stops : bool
        Whether a run stops, because answers may stand in it.
    """

    file: str
    zh: str
    en: str
    stops: bool


@dataclass(frozen=True, slots=True)
class Delivered:
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
    ignored = {path for pattern in declared.ignore for path in matching(folder, pattern)}
    files: list[Path] = []
    unmatched: list[str] = []
    for entry in declared.files:
        matches = [path for path in matching(folder, entry.pattern) if path not in ignored]
        if WILD & set(entry.pattern):
            matches = [path for path in matches if path.suffix.lower() in READABLE]
        if not matches:
            unmatched.append(entry.pattern)
        files += [path for path in matches if path not in files]
    beside = [path for name in _folders(declared) for path in files_below(folder / name)]
    unread = [_unread(path, folder, ignored=path in ignored) for path in beside if path not in files]
    return Delivered(tuple(files), tuple(unread), tuple(unmatched))


def _folders(declared: SurveyFile) -> list[str]:
    """Return the folders that hold responses, by their names below the survey folder."""
    first = [PurePosixPath(entry.pattern).parts[:-1][:1] for entry in declared.files]
    named = [parts[0] for parts in first if parts and parts[0] not in (".", "..") and not WILD & set(parts[0])]
    return list(dict.fromkeys([FOLDER, *named]))


def _unread(path: Path, folder: Path, *, ignored: bool) -> Unread:
    file, kind = path_below(folder, path), path.suffix.lower()
    if ignored:
        return Unread(file, "survey.yaml 的 ignore 已列出", "listed under `ignore` in survey.yaml", stops=False)
    if kind in DOCUMENTS:
        return Unread(file, "文档、图片或录音，不是数据表", "a document, picture or recording, no table", stops=False)
    if kind in READABLE:
        return Unread(file, "survey.yaml 的 files 未列入", "not among `files` in survey.yaml", stops=True)
    return Unread(file, f"不能读取 {kind or '无扩展名'} 文件", f"files of type '{kind}' are not read", stops=True)
