"""Opening, hashing and atomically writing files: the only place that touches paths.

Unfinished files, and the lock on a file: named after the process they belong to, so that those of a dead one are known.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import secrets
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from satisfaction.foundation.errors import (
    DamagedSetError,
    ExportError,
    InputFileError,
    SatisfactionError,
    one_of,
)
from satisfaction.foundation.language import Text, _
from satisfaction.foundation.readers_words import what_is_wrong

DEVICE = re.compile(
    "con|prn|aux|nul|com[0-9]|lpt[0-9]"
)  # no file or folder of Windows has such a name
UNFINISHED = re.compile(r"\.unfinished-(?P<host>.+)-(?P<pid>\d+)-[0-9a-f]{8}(\.[\w-]+)?")
PATIENCE = 60.0  # seconds that a second program waits for the first
SCANNED = (0.1, 0.4, 1.5) if sys.platform == "win32" else ()
"""Seconds to wait before a name is changed again: on Windows a scanner may hold a new file for a moment."""


def unfinished(folder: Path, suffix: str = "") -> Path:
    """Return a path of this process in a folder, where nothing lies; what dead processes left there is removed."""
    for path in folder.iterdir():
        named = UNFINISHED.fullmatch(path.name)
        if named and _is_dead(named["host"], int(named["pid"])):
            remove(path)
    return folder / f".unfinished-{_host()}-{os.getpid()}-{secrets.token_hex(4)}{suffix}"


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all it holds, as far as the system allows."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _patiently(rename: Callable[[Path, Path], None], source: Path, target: Path) -> None:
    """Change a name, on Windows again after a moment where a program holds the file."""
    for seconds in SCANNED:
        try:
            return rename(source, target)
        except PermissionError:
            time.sleep(seconds)
    rename(source, target)


def name_finished(scratch: Path, target: Path) -> None:
    """Give a finished file its name, never over what lies there already.

    Raises
    ------
    FileExistsError
    """
    try:
        os.link(scratch, target)
    except FileExistsError:
        raise
    except OSError:  # a disk without hard links
        if os.path.lexists(target):
            raise FileExistsError(target) from None
        os.rename(scratch, target)
    else:
        scratch.unlink()


@contextmanager
def locked(path: Path, *, patience: float = PATIENCE) -> Iterator[None]:
    """Keep other processes from changing a file meanwhile; the lock of a dead process is taken over, and that is said.

    Raises
    ------
    ExportError
        X421 where another process holds the lock longer than `patience` seconds.
    """
    lock = path.with_name(f".{path.name}.lock")
    scratch = unfinished(path.parent, ".lock")
    scratch.write_text(f"{_host()} {os.getpid()}", encoding="ascii")
    waited_since = time.monotonic()
    try:
        while True:  # as soon as nobody else holds it, the finished file becomes the lock
            try:
                name_finished(scratch, lock)
                break
            except FileExistsError:
                held = _owner(lock)
            host, _unused, pid = held.partition(" ")
            if pid.isdigit() and _is_dead(host, int(pid)):
                _take_over(lock, held)
                continue
            if time.monotonic() - waited_since > patience:
                raise ExportError(
                    "X421",
                    _(
                        "Another program is changing this file ({value}); nothing was written.",
                        value=held or "?",
                    ),
                    where=path,
                    hint=_(
                        "Run again when it has ended; if it is gone, delete {name}.", name=lock.name
                    ),
                )
            time.sleep(0.1)
        yield
        lock.unlink(missing_ok=True)
    except BaseException:
        if not scratch.exists():  # then it has become the lock
            lock.unlink(missing_ok=True)
        remove(scratch)
        raise


def _owner(lock: Path) -> str:
    try:
        return lock.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _take_over(lock: Path, held: str) -> None:
    """Take the lock of a dead process away, unless another process was quicker: its lock is put back."""
    aside = unfinished(lock.parent, ".lock")
    with suppress(FileNotFoundError):
        os.rename(lock, aside)
        if _owner(aside) == held:
            remove(aside)
            say_beside(
                _(
                    "The lock of a program that was interrupted is released: {name} ({held}).",
                    name=lock.name,
                    held=held,
                ).both
            )
        else:
            with suppress(FileExistsError):
                name_finished(aside, lock)


def say_beside(words: str) -> None:
    """Say something that is no error and no result."""
    print(words, file=sys.stderr)


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9]", "_", platform.node())[:40] or "host"


def _is_dead(host: str, pid: int) -> bool:
    """Tell whether a process of this machine has ended; nothing is known of other machines."""
    return host == _host() and not _is_alive(pid)


def _is_alive(pid: int) -> bool:
    if sys.platform == "win32":  # there, signal 0 would end the process
        import ctypes

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        handle = kernel.OpenProcess(0x100000, False, pid)
        if not handle:
            return ctypes.get_last_error() == 5  # it is there, of another user
        waited = kernel.WaitForSingleObject(handle, 0)
        kernel.CloseHandle(handle)
        return bool(waited == 0x102)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


BOM = b"\xef\xbb\xbf"
PASSED_OVER = (
    "~$",
    ".",
)  # how names of files begin that no team has delivered: an open workbook's, hidden ones
SYSTEM_FILES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini"})
AROUND = 50_000  # bytes before and after the first fault that are looked at
_READ: ContextVar[tuple[dict[str, str], ...]] = ContextVar("files read", default=())
WIDE = re.compile(
    "[\u0800-\ud7ff\ue000-\ufffc]"
)  # what UTF-8 writes in three bytes, without U+FFFD itself


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes.

    Raises
    ------
    InputFileError
        F101 when there is no such file (what the folder holds is listed), F102 when it cannot be read.
    """
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # a name may hold NUL
        folder = path.parent
        names: list[str] = []
        text = _("There is no folder {folder}.", folder=folder)
        if folder.is_dir():
            names = sorted(beside.name for beside in folder.iterdir())
            text = _("There is no file {name} in this folder.", name=path.name)
        raise InputFileError(
            "F101",
            text,
            where=path,
            available=names,
            got=path.name,
            hint=_backslash(path.name) or _("Check the path, or put the file there."),
        ) from None
    except OSError as fault:
        if path.is_dir():
            raise InputFileError(
                "F102",
                _("This is a folder, and a file is needed."),
                where=path,
                available=sorted(beside.name for beside in path.iterdir() if beside.is_file()),
                hint=_("Give the path of the file itself."),
            ) from None
        raise InputFileError(
            "F102",
            _("The file cannot be read: {fault}.", fault=what_is_wrong(fault.strerror)),
            where=path,
            hint=_("Close the program that holds it; check permissions."),
        ) from None
    for read in _READ.get():
        name = os.path.abspath(path)
        digest = hashlib.sha256(content).hexdigest()
        if read.setdefault(name, digest) != digest:
            raise _changed_meanwhile(name)
    return content


def _backslash(name: str) -> Text | None:
    """Return what to do about a path that Windows alone takes for one."""
    if "\\" not in name:
        return None
    return _("Write / between folders: every system reads it, a backslash Windows alone.")


@contextmanager
def recorded() -> Iterator[dict[str, str]]:
    """Note the SHA-256 of the bytes of every file that is read meanwhile, by its absolute path.

    Raises
    ------
    InputFileError
        F420 for a file that is read twice and was changed between.
    """
    read: dict[str, str] = {}
    token = _READ.set((*_READ.get(), read))
    try:
        yield read
    finally:
        _READ.reset(token)


@contextmanager
def unrecorded() -> Iterator[None]:
    """Leave out of `recorded` what is read meanwhile: files that are looked at and no input."""
    token = _READ.set(())
    try:
        yield
    finally:
        _READ.reset(token)


def refuse_changed(read: Mapping[str, str]) -> None:
    """Refuse files that are not what they were when `recorded` noted them: figures and hashes would not belong together.

    Raises
    ------
    InputFileError
        F420.
    """
    for name, digest in read.items():
        path = Path(name)
        if not path.is_file() or sha256(path) != digest:
            raise _changed_meanwhile(name)


def _changed_meanwhile(name: str) -> InputFileError:
    return InputFileError(
        "F420",
        _("{name} was changed during the run; nothing was written.", name=Path(name).name),
        where=name,
        hint=_("Run again when nobody writes to it any more."),
    )


def copy_file(source: Path, target: Path) -> None:
    """Copy a file as it is."""
    target.write_bytes(read_bytes(source))


def put_bytes(content: bytes, target: Path) -> None:
    """Write the content of a file in the making; see `new_file`."""
    target.write_bytes(content)


def decode(path: Path) -> str:
    """Return a text file's content; see `decode_bytes`."""
    return decode_bytes(read_bytes(path), where=path)


def decode_bytes(content: bytes, *, where: object) -> str:
    """Return bytes as text, strictly and always the whole content; see `encoding_of`.

    Raises
    ------
    InputFileError
        F104 when there is nothing, F105 when no encoding fits, F110 for UTF-8 with damaged bytes (offset and line).
    """
    try:
        return content.decode(encoding_of(content, where=where))
    except UnicodeDecodeError:
        raise InputFileError(
            "F105",
            _("The character encoding of the file is not recognised."),
            where=where,
            available=("UTF-8", "UTF-16", "GB18030"),
            hint=_("Save it as UTF-8 csv or as xlsx."),
        ) from None


def encoding_of(content: bytes, *, where: object) -> Literal["utf-16", "utf-8-sig", "gb18030"]:
    """Name the encoding of bytes: by byte order mark, then UTF-8 where all of it is, else GB18030, which is not tried here.

    GB18030 accepts nearly any bytes, so content that is UTF-8 but for a few bytes is refused instead of being read as
    other characters.

    Raises
    ------
    InputFileError
        F104 when there is nothing, F110 for UTF-8 with damaged bytes (offset and line).
    """
    if not content.strip(b" \t\r\n\x00"):
        raise InputFileError(
            "F104",
            _("The file is empty."),
            where=where,
            hint=_("Export the file again, or take it away."),
        )
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        start = fault.start
    else:
        return "utf-8-sig"
    # Chinese text in GB18030 holds next to no valid three-byte sequence of UTF-8: under 3 for every 100 bytes that are
    # invalid (measured on this project's Chinese texts); UTF-8 with a damaged place holds more of them than faults
    marked = content.startswith(BOM)
    if marked:
        start += len(BOM)  # the decoder counts from behind the mark
    around = content[max(start - AROUND, 0) : start + AROUND]
    lenient = around.decode("utf-8", errors="replace")
    valid = len(WIDE.findall(lenient))
    damaged = lenient.count("\ufffd")
    if marked or 4 * valid > damaged:
        line = content.count(b"\n", 0, start) + 1
        raise InputFileError(
            "F110",
            _(
                "The UTF-8 file holds damaged bytes: offset {start} (line {line}).",
                start=start,
                line=line,
            ),
            where=f"{where} line {line}",
            hint=_("Export the file again; do not join files of different encodings."),
        )
    return "gb18030"


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    return hashlib.sha256(read_bytes(path)).hexdigest()


def _is_of_people(path: Path) -> bool:
    """Tell a file that people put there: none that a system or an office program leaves (locks, folder views, thumbnails)."""
    if path.name.startswith(PASSED_OVER) or path.name.lower() in SYSTEM_FILES:
        return False
    return "__MACOSX" not in path.parts and path.is_file()


def in_order(paths: Iterable[Path]) -> list[Path]:
    """Sort paths by their names, capitals first: by itself Windows takes `b` before `C`, other systems after it."""
    return sorted(paths, key=lambda path: path.parts)


def files_below(folder: Path) -> list[Path]:
    """List all files below a folder that people put there, in name order."""
    return in_order(filter(_is_of_people, folder.rglob("*")))


def matching(folder: Path, pattern: str) -> list[Path]:
    """List the files below a folder that match a glob pattern, in name order; capitals of the suffix do not count."""
    as_written = folder / pattern
    stem, dot, suffix = pattern.rpartition(".")
    if dot and suffix.isalnum():
        letters = (f"[{letter.lower()}{letter.upper()}]" for letter in suffix)
        pattern = f"{stem}.{''.join(letters)}"
    no_pattern = InputFileError(
        "F442",
        _("{pattern!r} is no pattern of file names.", pattern=pattern),
        where=folder,
        available=("responses/*.csv", "responses/**/*.xlsx"),
        hint=_("Correct `files` in survey.yaml."),
    )
    # `**` stands for folders, alone between slashes; Python 3.13 would take it for any name too
    *folders, name = pattern.split("/")
    if "**" in name or any("**" in part for part in folders if part != "**"):
        raise no_pattern
    try:
        paths = set(folder.glob(pattern))
        if "[" in as_written.name and as_written.is_file():  # a name, not a pattern: answers[1].csv
            paths.add(as_written)
        return in_order(filter(_is_of_people, paths))
    except (ValueError, LookupError, NotImplementedError):
        raise no_pattern from None


def no_match(folder: Path, pattern: str) -> InputFileError:
    """Return the error that no file matches a pattern (F103)."""
    return InputFileError(
        "F103",
        _("No file matches '{pattern}'.", pattern=pattern),
        where=folder,
        available=[path.relative_to(folder).as_posix() for path in files_below(folder)],
        got=pattern,
        hint=_backslash(pattern) or _("Check the file name, or correct `files` in survey.yaml."),
    )


def path_below(folder: Path | str, path: Path | str) -> str:
    """Return a file's path as seen from a folder, with slashes; the whole path from one drive of Windows to another."""
    try:
        seen = os.path.relpath(path, folder)
    except ValueError:
        seen = os.path.abspath(path)
    return seen.replace(os.sep, "/")


def changed_since(folder: Path, sums: Path) -> dict[str, str]:
    """Compare the files of a folder with its list of SHA-256: name -> "changed", "missing" or "unlisted".

    A list that cannot be read as one is itself "changed".
    """
    present = {}
    for path in folder.iterdir():
        if path.is_file() and path != sums:
            present[path.name] = sha256(path)
    listed = {}
    try:
        for line in filter(str.strip, decode(sums).splitlines()):
            digest, name = line.split(maxsplit=1)
            listed[name.lstrip("*")] = f"{int(digest, 16):064x}"
    except ValueError:
        return {sums.name: "changed"}
    states = {}
    for name, digest in listed.items():
        if name not in present:
            states[name] = "missing"
        elif present[name] != digest:
            states[name] = "changed"
    unlisted = sorted(present.keys() - listed.keys())
    return states | dict.fromkeys(unlisted, "unlisted")


def read_json(path: Path, wanted: Iterable[str] = ()) -> dict[str, Any]:
    """Return what a JSON file of a file set holds.

    Raises
    ------
    DamagedSetError
        F422 where it is no JSON, or lacks one of the keys `wanted`.
    """
    try:
        content = json.loads(decode(path))
        return {name: content[name] for name in wanted} | dict(content.items())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DamagedSetError(
            "F422",
            _("{name} of the file set is damaged and cannot be read.", name=path.name),
            where=path,
            hint=_(
                "`satisfaction verify` names the files that were changed; restore them, or "
                "run the survey again."
            ),
        ) from None


def refuse_existing(
    target: Path, error: type[SatisfactionError] = ExportError, code: str = "X420"
) -> None:
    """Refuse a target where something lies already.

    Raises
    ------
    SatisfactionError
        Of the class and with the code given.
    """
    if os.path.lexists(target):
        raise _existing(target, error, code)


def _existing(
    target: Path, error: type[SatisfactionError] = ExportError, code: str = "X420"
) -> SatisfactionError:
    return error(
        code,
        _("{name} is there already; nothing is overwritten.", name=target.name),
        where=target,
        hint=_("Choose another name, or move it away first."),
    )


def check_new_file(target: Path, endings: Iterable[str], *, argument: str) -> None:
    """Refuse the name of a file that is to be written, before anything is computed.

    Raises
    ------
    ExportError
        X102 for another ending, X420 where something lies there.
    """
    one_of(target.suffix, endings, argument=argument, error=ExportError, code="X102")
    refuse_existing(target)


@contextmanager
def new_file(target: Path, *, replace: bool = False) -> Iterator[Path]:
    """Give a path in the same folder whose file becomes `target` in one step, or vanishes on failure.

    Raises
    ------
    ExportError
        X420 where something lies at `target`, unless it is to be replaced.
    """
    if not replace:
        refuse_existing(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = unfinished(target.parent, target.suffix)
    try:
        yield scratch
        _to_disk(scratch)
        if replace:
            _patiently(os.replace, scratch, target)
        else:
            name_finished(scratch, target)
        _to_disk(target.parent)
    except FileExistsError:
        remove(scratch)
        raise _existing(target) from None
    except BaseException as fault:
        remove(scratch)
        _say_where(fault, target)
        raise


def _say_where(fault: BaseException, path: Path) -> None:
    """Name the file in a fault of the system that names none: of a full disk Python says no more than that."""
    if isinstance(fault, OSError) and fault.filename is None:
        fault.filename = str(path)


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give a temporary folder that becomes `target` in one step, or vanishes on failure.

    Raises
    ------
    ExportError
        X101 where something lies at `target`.
    """
    refuse_existing(target, code="X101")
    with _growing(target.parent) as scratch:
        yield scratch
        if not _moved(scratch, target):
            raise _existing(target, code="X101")


@dataclass
class DatedFolder:
    """A folder in the making, and the name it has in the end."""

    scratch: Path
    target: Path


@contextmanager
def dated_folder(first: Path) -> Iterator[DatedFolder]:
    """Give a temporary folder that in the end becomes `first`, or that with a number behind it where something lies there."""
    with _growing(first.parent) as scratch:
        folder = DatedFolder(scratch, first)
        yield folder
        number = 1
        while not _moved(scratch, folder.target):
            number += 1
            folder.target = first.with_name(f"{first.name}-{number}")


@contextmanager
def _growing(parent: Path) -> Iterator[Path]:
    parent.mkdir(parents=True, exist_ok=True)
    scratch = unfinished(parent)
    try:
        scratch.mkdir()
        yield scratch
        _to_disk(parent)
    except BaseException as fault:
        remove(scratch)
        _say_where(fault, parent)
        raise


def _moved(scratch: Path, target: Path) -> bool:
    """Give a finished folder its name; False where something lies there, also since a moment ago."""
    if os.path.lexists(target):
        return False
    for path in sorted(scratch.rglob("*")):
        _to_disk(path)
    try:
        _patiently(os.rename, scratch, target)
    except OSError:
        if os.path.lexists(target):
            return False
        raise
    return True


def _to_disk(path: Path) -> None:
    """Have the system put a file or a folder's list of names onto the disk, so that a power cut leaves no half of it."""
    if path.is_dir():
        with suppress(OSError):  # not every system opens folders
            _flush(os.open(path, os.O_RDONLY))
    else:
        _flush(os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0)))


def _flush(opened: int) -> None:
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def free_name(first: Path) -> Path:
    """Return a path where nothing lies yet: the first choice, or with a number behind it."""
    path = first
    number = 1
    while path.exists():
        number += 1
        path = first.with_stem(f"{first.stem}-{number}")
    return path


def point_latest(target: Path) -> Path:
    """Make `latest` beside a finished folder stand for it: a symbolic link, or a copy where links are not allowed.

    Raises
    ------
    ExportError
        X422 where a program holds a file of the copy before; that one stays then, and the finished folder with it.
    """
    latest = target.parent / "latest"
    scratch = unfinished(target.parent)
    try:
        try:
            scratch.symlink_to(target.name, target_is_directory=True)
        except OSError:
            shutil.copytree(target, scratch)
        _exchange(scratch, latest)
    except PermissionError:
        remove(scratch)
        raise ExportError(
            "X422",
            _(
                "The results are complete in {folder}, but `latest` still holds those before: a "
                "program (Excel, say) has a file of `latest` open.",
                folder=target.name,
            ),
            where=latest,
            hint=_("Close that file and run again; until then read {folder}.", folder=target.name),
        ) from None
    except BaseException:
        remove(scratch)
        raise
    return latest


def _exchange(scratch: Path, latest: Path) -> None:
    """Put a link or a folder in the place of another: in one step where the system does so, else the old goes aside."""
    try:
        return os.replace(scratch, latest)
    except OSError:  # a folder lies there; Windows exchanges no links of folders either
        if not os.path.lexists(latest):
            raise
    old = unfinished(latest.parent)
    _patiently(os.rename, latest, old)
    try:
        _patiently(os.rename, scratch, latest)
    except BaseException:
        os.rename(old, latest)
        raise
    remove(old)


def flush_output() -> None:
    """Write out what was printed, so that a full or closed output is an error now and not after the end."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as fault:
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
        raise OSError(fault.errno, fault.strerror, "stdout") from None


def write_trace() -> Path:
    """Keep the traceback of the error being handled in a temporary file and return its path."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="satisfaction-", suffix=".log", encoding="utf-8", delete=False
    ) as file:
        traceback.print_exc(file=file)
    return Path(file.name)


@contextmanager
def scratch_folder(name: str) -> Iterator[Path]:
    """Give a folder of the system's for temporary files, removed afterwards."""
    folder = unfinished(Path(tempfile.gettempdir()), f".{name}")
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        remove(folder)
