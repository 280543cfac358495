"""Opening, hashing and atomically writing files: the only place that touches paths."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Literal

from ..errors import InputFileError

BOM = b"\xef\xbb\xbf"
AROUND = 50_000  # bytes before and after the first fault that are looked at
WIDE = re.compile("[\u0800-\ud7ff\ue000-\ufffc]")  # what UTF-8 writes in three bytes, without U+FFFD itself


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes.

    Raises
    ------
    InputFileError
        F101 when there is no such file (what the folder holds is listed), F102 when it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        folder = path.parent
        there = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
        raise InputFileError(
            "F101",
            f"找不到文件 {path.name}。" if folder.is_dir() else f"找不到文件夹 {folder}。",
            f"There is no file {path.name} in this folder." if folder.is_dir() else f"There is no folder {folder}.",
            where=str(path),
            available=there,
            got=path.name,
            hint=("检查路径，或把文件放到该处。", "Check the path, or put the file there."),
        ) from None
    except OSError as fault:
        raise InputFileError(
            "F102",
            f"无法读取文件: {fault.strerror}。",
            f"The file cannot be read: {fault.strerror}.",
            where=str(path),
            hint=("关闭占用它的程序，检查权限。", "Close the program that holds it; check permissions."),
        ) from None


def decode(path: Path) -> str:
    """Return a text file's content; see `decode_bytes`."""
    return decode_bytes(read_bytes(path), where=str(path))


def decode_bytes(content: bytes, *, where: str) -> str:
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
            "无法识别文件的字符编码。",
            "The character encoding of the file is not recognised.",
            where=where,
            available=("UTF-8", "UTF-16", "GB18030"),
            hint=("另存为 UTF-8 的 CSV 或 xlsx。", "Save it as UTF-8 csv or as xlsx."),
        ) from None


def encoding_of(content: bytes, *, where: str) -> Literal["utf-16", "utf-8-sig", "gb18030"]:
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
            "文件是空的。",
            "The file is empty.",
            where=where,
            hint=("重新导出该文件，或从 files 中去掉它。", "Export the file again, or take it out of `files`."),
        )
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        _refuse_damaged(content, fault.start, where=where)
        return "gb18030"
    return "utf-8-sig"


def _refuse_damaged(content: bytes, start: int, *, where: str) -> None:
    """Refuse content that is UTF-8 with some bytes damaged.

    Chinese text in GB18030 holds next to no valid three-byte sequence of UTF-8: under 3 for every 100 bytes that are
    invalid (measured on this project's Chinese texts); UTF-8 with a damaged place holds more of them than faults.
    """
    marked = content.startswith(BOM)
    start += len(BOM) if marked else 0  # the decoder counts from behind the mark
    lenient = content[max(start - AROUND, 0) : start + AROUND].decode("utf-8", errors="replace")
    if marked or 4 * len(WIDE.findall(lenient)) > lenient.count("\ufffd"):
        line = content.count(b"\n", 0, start) + 1
        raise InputFileError(
            "F110",
            f"UTF-8 文件有损坏的字节: 偏移 {start}（第 {line} 行）。",
            f"The UTF-8 file holds damaged bytes: offset {start} (line {line}).",
            where=f"{where} line {line}",
            hint=("重新导出该文件；不要拼接不同编码的文件。", "Export the file again; do not join files of different encodings."),
        )


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    return hashlib.sha256(read_bytes(path)).hexdigest()


def expand(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    """List the files that match glob patterns below a folder, each pattern's in name order.

    Raises
    ------
    InputFileError
        F103 when a pattern matches nothing.
    """
    found: list[Path] = []
    for pattern in patterns:
        matches = sorted(p for p in folder.glob(pattern) if p.is_file() and not p.name.startswith(("~$", ".")))
        if not matches:
            there = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
            raise InputFileError(
                "F103",
                f"没有文件与 '{pattern}' 匹配。",
                f"No file matches '{pattern}'.",
                where=str(folder),
                available=there,
                got=pattern,
                hint=("检查文件名，或改正 survey.yaml 中的 files。", "Check the file name, or correct `files` in survey.yaml."),
            )
        found += [path for path in matches if path not in found]
    return found


def changed_since(folder: Path, sums: Path) -> dict[str, str]:
    """Compare the files of a folder with its list of SHA-256: name -> "changed", "missing" or "unlisted"."""
    pairs = (line.split(maxsplit=1) for line in decode(sums).splitlines() if line.strip())
    listed = {name.lstrip("*"): digest for digest, name in pairs}
    there = {path.name: sha256(path) for path in folder.iterdir() if path.is_file() and path != sums}
    found = {name: "changed" if name in there else "missing" for name, digest in listed.items() if there.get(name) != digest}
    return found | dict.fromkeys(sorted(there.keys() - listed.keys()), "unlisted")


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give a temporary folder that becomes `target` in one step, or vanishes on failure."""
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=target.parent))
    try:
        yield scratch
        scratch.chmod(0o755)
        os.rename(scratch, target)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def free_name(first: Path) -> Path:
    """Return a path where nothing lies yet: the first choice, or with a number behind it."""
    further = (first.with_stem(f"{first.stem}-{number}") for number in count(2))
    return first if not first.exists() else next(path for path in further if not path.exists())


def point_latest(target: Path) -> Path:
    """Make `latest` beside a finished folder stand for it: a symbolic link, or a copy where links are not allowed."""
    latest = target.parent / "latest"
    scratch = target.parent / f".latest-{target.name}"
    try:
        scratch.symlink_to(target.name, target_is_directory=True)
    except OSError:
        shutil.copytree(target, scratch)
        if latest.exists():
            old = target.parent / f".old-{target.name}"
            os.rename(latest, old)
            os.rename(scratch, latest)
            shutil.rmtree(old)
            return latest
    os.replace(scratch, latest)
    return latest


def write_trace() -> Path:
    """Keep the traceback of the error being handled in a temporary file and return its path."""
    with tempfile.NamedTemporaryFile("w", prefix="satisfaction-", suffix=".log", encoding="utf-8", delete=False) as file:
        traceback.print_exc(file=file)
    return Path(file.name)


@contextmanager
def scratch_folder(name: str) -> Iterator[Path]:
    """Give a folder of the system's for temporary files, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix=f"{name}-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
