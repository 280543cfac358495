"""Unfinished files, and the lock on a file: named after the process they belong to, so that those of a dead one are known."""

from __future__ import annotations

import os
import platform
import re
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import ExportError

UNFINISHED = re.compile(r"\.unfinished-(?P<host>.+)-(?P<pid>\d+)-[0-9a-f]{8}(\.[\w-]+)?")
PATIENCE = 60.0  # seconds that a second program waits for the first


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


def place(scratch: Path, target: Path) -> None:
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
    try:
        _wait_for(lock, scratch, patience)
        yield
        lock.unlink(missing_ok=True)
    except BaseException:
        if not scratch.exists():  # then it has become the lock
            lock.unlink(missing_ok=True)
        remove(scratch)
        raise


def _wait_for(lock: Path, scratch: Path, patience: float) -> None:
    waited_since = time.monotonic()
    while True:
        try:
            return place(scratch, lock)
        except FileExistsError:
            held = _owner(lock)
        host, _, pid = held.partition(" ")
        if pid.isdigit() and _is_dead(host, int(pid)):
            _take_over(lock, held)
        elif time.monotonic() - waited_since > patience:
            raise ExportError(
                "X421",
                f"另一个程序正在修改该文件（{held or '?'}），本次没有写入。",
                f"Another program is changing this file ({held or '?'}); nothing was written.",
                where=str(lock.with_name(lock.name.removeprefix(".").removesuffix(".lock"))),
                hint=(
                    f"等它结束后再运行；若它已不在，删除 {lock.name}。",
                    f"Run again when it has ended; if it is gone, delete {lock.name}.",
                ),
            )
        else:
            time.sleep(0.1)


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
            tell(
                f"上一个程序中断时留下的锁已解除：{lock.name}（{held}）。 "
                f"The lock of a program that was interrupted is released: {lock.name} ({held})."
            )
        else:
            with suppress(FileExistsError):
                place(aside, lock)


def tell(said: str) -> None:
    """Say something that is no error and no result."""
    print(said, file=sys.stderr)


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
