"""The command line. Heavy imports stay inside the commands; every failure is one message and a non-zero exit.

One module a family of commands; what it defines is added to `COMMANDS`.
"""

from __future__ import annotations

import sys
from contextlib import suppress

import click

from ..errors import DamagedSetError, SatisfactionError
from ..io.personal import masked_within
from .asking import form, new, schema
from .checking import compare, verify
from .lab import lab
from .options import DAMAGED_SET, EXIT_CODES, INTERRUPTED, OWN_FAULT, READER_GONE, SURROUNDINGS, USER_FAULT
from .planning import draw, next_sample, plan
from .reporting import report
from .responding import check, corrections, fieldwork
from .running import change, rolling, run, trial
from .scores import combined, stability
from .simulating import simulate
from .surroundings import Stopped, stopped_by_signals, surroundings_fault

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
    from ..io.files import flush_output

    try:
        cli(standalone_mode=False)
        flush_output()
    except DamagedSetError as fault:
        return DAMAGED_SET, str(fault)
    except SatisfactionError as fault:
        return USER_FAULT, str(fault)
    except click.ClickException as fault:
        return USER_FAULT, f"命令有误 the command is not right: {fault.format_message()}\n查看用法 see: satisfaction --help"
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
    from ..io.files import write_trace

    return (
        f"[Z101] 程序内部错误 ({type(fault).__name__})，结果未写入。详情见 {write_trace()}\n"
        f"[Z101] Internal fault ({type(fault).__name__}); no results were written. Details are in the file above.\n"
        "  处理: 把该文件（其中可能含有数据）交给维护者。\n  Next: hand that file (it may hold data) to the maintainers."
    )
