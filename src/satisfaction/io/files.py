"""Opening, hashing and atomically writing files: the only place that touches paths."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputFileError


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
    """Return a text file's content: byte order mark, then strict UTF-8, then strict GB18030, the whole file.

    Raises
    ------
    InputFileError
        F104 for an empty file, F105 when no encoding fits.
    """
    content = read_bytes(path)
    if not content.strip():
        raise InputFileError(
            "F104",
            "文件是空的。",
            "The file is empty.",
            where=str(path),
            hint=("重新导出该文件，或从 files 中去掉它。", "Export the file again, or take it out of `files`."),
        )
    marked = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    for encoding in (marked, "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputFileError(
        "F105",
        "无法识别文件的字符编码。",
        "The character encoding of the file is not recognised.",
        where=str(path),
        available=("UTF-8", "UTF-16", "GB18030"),
        hint=("另存为 UTF-8 的 CSV 或 xlsx。", "Save it as UTF-8 csv or as xlsx."),
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
