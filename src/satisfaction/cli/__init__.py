"""The command line. Heavy imports stay inside the commands; every failure is one message and a non-zero exit.

One module a family of commands; what it defines is added to `COMMANDS`.

What the machine around the program does to it: a full disk, a folder it may not write to, a signal to stop.
"""

from __future__ import annotations

import errno
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import click

from satisfaction.cli.before import draw, form, new, next_sample, plan, schema, simulate
from satisfaction.cli.checking import compare, lab, verify
from satisfaction.cli.options import (
    DAMAGED_SET,
    EXIT_CODES,
    INTERRUPTED,
    OWN_FAULT,
    READER_GONE,
    SURROUNDINGS,
    USER_FAULT,
)
from satisfaction.cli.responses import check, corrections, fieldwork
from satisfaction.cli.running import change, combined, report, rolling, run, stability, trial
from satisfaction.foundation.errors import DamagedSetError, SatisfactionError
from satisfaction.foundation.personal import masked_within

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
LONG = (
    "路径或文件名过长。",
    "The path or file name is too long.",
    "换一个短的名称。",
    "Choose a shorter one.",
)
LACKING = (
    "路径不存在。",
    "There is no such path.",
    "检查路径；文件可能刚被移走。",
    "Check the path; it may just have been moved.",
)
BROKEN = (
    "磁盘或网络盘出错。",
    "The disk or network drive failed.",
    "检查磁盘后重新运行。",
    "Check it and run again.",
)
SHORT = (
    "系统资源不足。",
    "The system is short of resources.",
    "关闭其他程序后重新运行。",
    "Close other programs and run again.",
)
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
    return (
        "" if words is None else _said(words, f"{found.filename or ''} ({found.strerror})".strip())
    )


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


COMMANDS = (
    plan,
    draw,
    next_sample,
    new,
    form,
    schema,
    check,
    corrections,
    fieldwork,
    run,
    report,
    change,
    rolling,
    combined,
    stability,
    trial,
    lab,
    verify,
    compare,
    simulate,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES)
@click.version_option(package_name="satisfaction")
def cli() -> None:
    """居民满意度调查：从答卷到指数、误差与名次。 Resident satisfaction surveys: from responses to indices, errors and ranks."""


INTERRUPTION = "已中断，未留下半成品。 Interrupted; nothing half-written is left."
for _command in COMMANDS:
    cli.add_command(_command)


def main() -> None:
    """Run the command line; every end has its exit code (`options.EXIT_CODES`) and, unless all is well, one message."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    with stopped_by_signals():
        code, said = _outcome()
    with suppress(OSError):  # a terminal that is closed
        if said:
            click.echo(masked_within(said), err=True)
    if code:
        sys.exit(code)


def _outcome() -> tuple[int, str]:
    """Carry out the command; returns its exit code and what is to be said."""
    from satisfaction.foundation.files import flush_output

    try:
        cli(standalone_mode=False)
        flush_output()
    except DamagedSetError as fault:
        return DAMAGED_SET, str(fault)
    except SatisfactionError as fault:
        return USER_FAULT, str(fault)
    except click.ClickException as fault:
        return (
            USER_FAULT,
            f"命令有误 the command is not right: {fault.format_message()}\n查看用法 see: satisfaction --help",
        )
    except Stopped as signal:
        return signal.code, INTERRUPTION
    except BrokenPipeError:
        return READER_GONE, ""
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED, INTERRUPTION
    except Exception as fault:
        if said := surroundings_fault(fault):
            return SURROUNDINGS, said
        return OWN_FAULT, _report_own_fault(fault)
    return 0, ""


def _report_own_fault(fault: Exception) -> str:
    """Keep the traceback in a file and return the message for the user."""
    from satisfaction.foundation.files import write_trace

    return (
        f"[Z101] 程序内部错误 ({type(fault).__name__})，结果未写入。详情见 {write_trace()}\n"
        f"[Z101] Internal fault ({type(fault).__name__}); no results were written. Details are in the file above.\n"
        "  处理: 把该文件（其中可能含有数据）交给维护者。\n  Next: hand that file (it may hold data) to the maintainers."
    )
