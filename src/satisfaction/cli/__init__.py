"""The command line. Heavy imports stay inside the commands; every failure is one message and a non-zero exit.

One module a family of commands; what it defines is added to `SECTIONS`.

What the machine around the program does to it: a full disk, a folder it may not write to, a signal to stop.
"""

from __future__ import annotations

import errno
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NamedTuple

import click

from satisfaction.cli.before import draw, form, init, new, next_sample, plan, schema, simulate
from satisfaction.cli.options import (
    DAMAGED_SET,
    EXIT_CODES,
    INTERRUPTED,
    OWN_FAULT,
    READER_GONE,
    SURROUNDINGS,
    USER_FAULT,
    VERSION,
    InReadersLanguage,
    language_asked,
    language_option,
    reader,
    speak,
)
from satisfaction.cli.responses import check, corrections, fieldwork
from satisfaction.cli.running import (
    assessment,
    change,
    combined,
    compare,
    lab,
    report,
    rolling,
    run,
    stability,
    trial,
    verify,
)
from satisfaction.foundation.errors import DamagedSetError, SatisfactionError
from satisfaction.foundation.language import Text, _, readers_language, use
from satisfaction.foundation.personal import masked_within


class _Surroundings(NamedTuple):
    """What to say of a fault that the system reports, and what to do."""

    text: Text
    hint: Text


FULL = _Surroundings(
    _("The disk is full, or a quota or limit of file size is reached."),
    _("Free some space and run again."),
)
DENIED = _Surroundings(
    _("Writing is not permitted, or another program (Excel, say) holds the file open."),
    _("Close that program, check permissions, or write elsewhere."),
)
BLOCKED = _Surroundings(
    _("A file or folder of that name is in the way."),
    _("Move it away, or write elsewhere."),
)
LONG = _Surroundings(_("The path or file name is too long."), _("Choose a shorter one."))
NAME = _Surroundings(
    _("The system allows no file or folder of that name."),
    _('Choose a name without < > : " | ? *.'),
)
LACKING = _Surroundings(
    _("There is no such path."),
    _("Check the path; it may just have been moved."),
)
BROKEN = _Surroundings(_("The disk or network drive failed."), _("Check it and run again."))
SHORT = _Surroundings(
    _("The system is short of resources."),
    _("Close other programs and run again."),
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
OF_WINDOWS = {59: BROKEN, 64: BROKEN, 121: BROKEN, 123: NAME, 206: LONG, 1224: DENIED}
"""Numbers of Windows that Python takes for an invalid argument, or a long path for none."""
SHORTEST_LONG = 260  # letters of a path that Windows does not open unless it was set up to


class Stopped(SystemExit):
    """The program was asked to end: it passes through everything that lets an exit pass, and cleans up."""

    code: int

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Have SIGTERM, SIGHUP (a closed terminal) and Ctrl-C end the program alike, unless they are ignored (nohup).

    A KeyboardInterrupt would not do: where one arises while Python runs code it has just put together (a class of an import),
    Python kills itself by the signal at its end, whatever the exit code.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        """End the program with the code of the signal."""
        raise Stopped(number)

    before = {}
    untouched = (signal.SIG_DFL, signal.default_int_handler)
    for name in ("SIGTERM", "SIGHUP", "SIGINT"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) in untouched:
            before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def surroundings_fault(fault: BaseException) -> SatisfactionError | None:
    """Return what to say of a fault that the system reports; None for a fault of the program."""
    if isinstance(fault, MemoryError):
        return SatisfactionError("Z420", SHORT.text, hint=SHORT.hint)
    found = _system_error(fault)
    if found is None:
        return None
    kind = _kind(found)
    if kind is None:
        return None
    where = f"{found.filename or ''} ({errno.errorcode.get(found.errno or 0, '')})".strip()
    return SatisfactionError("Z420", kind.text, where=where, hint=kind.hint)


def _kind(fault: OSError) -> _Surroundings | None:
    """Tell what a fault of the system means; None where that is not known."""
    name = errno.errorcode.get(fault.errno or 0)
    number = getattr(fault, "winerror", None)  # Windows alone has these
    if number in OF_WINDOWS:
        return OF_WINDOWS[number]
    if number is not None and name == "ENOENT" and len(str(fault.filename)) >= SHORTEST_LONG:
        return LONG
    return next((kind for kind, names in KINDS.items() if name in names), None)


def _system_error(fault: BaseException | None) -> OSError | None:
    """Return the system's own error behind an exception: itself, what it wraps, or what caused it."""
    while fault is not None:
        wrapped = next((one for one in (fault, *fault.args) if isinstance(one, OSError)), None)
        if wrapped is not None:
            return wrapped
        fault = fault.__cause__
    return None


SECTIONS = {
    _("Before the field"): (init, plan, draw, next_sample, new, form, schema, simulate),
    _("What comes back"): (check, corrections, fieldwork),
    _("Figures and ranks"): (
        lab,
        run,
        report,
        change,
        rolling,
        combined,
        assessment,
        stability,
        trial,
    ),
    _("Checking and handing on"): (verify, compare),
}
"""The commands in the order of a wave."""


class Program(InReadersLanguage, click.Group):
    """The program: its commands in sections."""

    words = _("Resident satisfaction surveys: from responses to indices, errors and ranks.")
    codes = EXIT_CODES

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, each with what it does."""
        for title, commands in SECTIONS.items():
            with formatter.section(title.in_language(reader())):
                formatter.write_dl(
                    [(str(command.name), command.get_short_help_str()) for command in commands]
                )


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Resident satisfaction surveys."""


cli.params += [VERSION, language_option()]
for _commands in SECTIONS.values():
    for _command in _commands:
        cli.add_command(_command)

INTERRUPTION = _("Interrupted; nothing half-written is left.")


def main() -> None:
    """Run the command line; every end has its exit code (`options.EXIT_CODES`) and, unless all is well, one message."""
    speak(language_asked(sys.argv[1:]) or readers_language())
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    with stopped_by_signals():
        code, message = _outcome()
    with suppress(OSError):  # a terminal that is closed
        if message:
            with use(reader()):
                click.echo(masked_within(str(message)), err=True)
    if code:
        sys.exit(code)


def _outcome() -> tuple[int, object]:
    """Carry out the command; returns its exit code and what is to be said: a fault, words, or nothing."""
    from satisfaction.foundation.files import flush_output

    try:
        cli(prog_name="satisfaction", standalone_mode=False)
        flush_output()
    except DamagedSetError as fault:
        return DAMAGED_SET, fault
    except SatisfactionError as fault:
        return USER_FAULT, fault
    except click.ClickException as fault:
        return USER_FAULT, _(
            "The command is not right: {fault}\nSee: satisfaction --help",
            fault=_said_by_click(fault),
        )
    except Stopped as signal:
        return signal.code, INTERRUPTION
    except BrokenPipeError:
        return READER_GONE, ""
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED, INTERRUPTION
    except Exception as fault:
        if surroundings := surroundings_fault(fault):
            return SURROUNDINGS, surroundings
        return OWN_FAULT, _own_fault()
    return 0, ""


def _said_by_click(fault: click.ClickException) -> str:
    """Return what click says of a command; a full stop and a space of its own stand in no catalogue."""
    said = fault.format_message()
    if reader() == "zh":
        stop = _("{words}.", words="").in_language("zh")
        said = re.sub(r"\.$", stop, said).replace(f"{stop} ", stop)
    return said


def _own_fault() -> SatisfactionError:
    """Keep the traceback in a file and return the message for the user."""
    from satisfaction.foundation.files import write_trace

    return SatisfactionError(
        "Z101",
        _("An internal fault; no results were written. Details are in {path}", path=write_trace()),
        hint=_("Hand that file (it may hold data) to the maintainers."),
    )
