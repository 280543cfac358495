"""What the machine around the program does to it: a full disk, a folder it may not write to, a signal to stop."""

from __future__ import annotations

import errno
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

FULL = (
    "磁盘已满，或超出配额、文件大小限制。",
    "The disk is full, or a quota or limit of file size is reached.",
    "腾出空间后重新运行。",
    "Free some space and run again.",
)
DENIED = (
    "没有写入权限，或文件正被另一个程序（如 Excel）打开。",
    "Writing is not permitted, or another program (Excel, say) holds the file open.",
    "关闭占用它的程序，检查权限，或写到别处。",
    "Close that program, check permissions, or write elsewhere.",
)
BLOCKED = (
    "该处已有同名的文件或文件夹，无法写入。",
    "A file or folder of that name is in the way.",
    "把它移走，或写到别处。",
    "Move it away, or write elsewhere.",
)
LONG = ("路径或文件名过长。", "The path or file name is too long.", "换一个短的名称。", "Choose a shorter one.")
LACKING = (
    "路径不存在。",
    "There is no such path.",
    "检查路径；文件可能刚被移走。",
    "Check the path; it may just have been moved.",
)
BROKEN = ("磁盘或网络盘出错。", "The disk or network drive failed.", "检查磁盘后重新运行。", "Check it and run again.")
SHORT = ("系统资源不足。", "The system is short of resources.", "关闭其他程序后重新运行。", "Close other programs and run again.")
KINDS = {
    FULL: ("ENOSPC", "EDQUOT", "EFBIG"),
    DENIED: ("EACCES", "EPERM", "EROFS", "EBUSY", "ETXTBSY"),
    BLOCKED: ("EEXIST", "ENOTDIR", "EISDIR", "ENOTEMPTY"),
    LONG: ("ENAMETOOLONG",),
    LACKING: ("ENOENT", "ELOOP"),
    BROKEN: ("EIO", "ESTALE", "ENXIO", "ETIMEDOUT"),
    SHORT: ("ENOMEM", "EMFILE", "ENFILE", "EAGAIN"),
}


class Stopped(BaseException):
    """The program was asked to end; like Ctrl-C it passes through everything and cleans up."""

    def __init__(self, number: int) -> None:
        self.code = 128 + number
        super().__init__(number)


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Have SIGTERM and SIGHUP (a closed terminal) end the program as Ctrl-C does, unless they are ignored (nohup)."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped(number)

    before = {}
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def surroundings_fault(fault: BaseException) -> str:
    """Return what to say of a fault that the system reports; empty for a fault of the program."""
    if isinstance(fault, MemoryError):
        return _said(SHORT, "")
    found = _system_error(fault)
    if found is None:
        return ""
    name = errno.errorcode.get(found.errno or 0)
    words = next((words for words, names in KINDS.items() if name in names), None)
    return "" if words is None else _said(words, f"{found.filename or ''} ({found.strerror})".strip())


def _said(words: tuple[str, str, str, str], where: str) -> str:
    return f"[Z420] {where}\n  {words[0]}\n  {words[1]}\n  处理: {words[2]}\n  Next: {words[3]}"


def _system_error(fault: BaseException | None) -> OSError | None:
    """Return the system's own error behind an exception: itself, what it wraps, or what caused it."""
    while fault is not None:
        wrapped = next((one for one in (fault, *fault.args) if isinstance(one, OSError)), None)
        if wrapped is not None:
            return wrapped
        fault = fault.__cause__
    return None
