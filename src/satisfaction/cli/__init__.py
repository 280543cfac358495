"""The command line. Heavy imports stay inside the commands; every failure is one message and a non-zero exit.

One module a family of commands; what it defines is added to `COMMANDS`.
"""

from __future__ import annotations

import sys

import click

from ..errors import SatisfactionError
from ..io.personal import masked_within
from .asking import form, new, schema
from .checking import compare, verify
from .lab import lab
from .options import OWN_FAULT, USER_FAULT
from .planning import draw, next_sample, plan
from .reporting import report
from .responding import check, corrections, fieldwork
from .running import change, rolling, run, trial
from .scores import combined, stability
from .simulating import simulate

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


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="satisfaction")
def cli() -> None:
    """居民满意度调查：从答卷到指数、误差与名次。 Resident satisfaction surveys: from responses to indices, errors and ranks."""


for _command in COMMANDS:
    cli.add_command(_command)


def main() -> None:
    """Run the command line: a user's fault exits with 2, a fault of ours with 3 and a file for the developers."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        cli(standalone_mode=False)
    except SatisfactionError as fault:
        click.echo(masked_within(str(fault)), err=True)
        sys.exit(USER_FAULT)
    except click.ClickException as fault:
        click.echo(f"命令有误 the command is not right: {fault.format_message()}\n查看用法 see: satisfaction --help", err=True)
        sys.exit(USER_FAULT)
    except (click.Abort, KeyboardInterrupt):
        click.echo("已中断，未留下半成品。 Interrupted; nothing half-written is left.", err=True)
        sys.exit(130)
    except Exception as fault:
        click.echo(_report_own_fault(fault), err=True)
        sys.exit(OWN_FAULT)


def _report_own_fault(fault: Exception) -> str:
    """Keep the traceback in a file and return the message for the user."""
    from ..io.files import write_trace

    return (
        f"[Z101] 程序内部错误 ({type(fault).__name__})，结果未写入。详情见 {write_trace()}\n"
        f"[Z101] Internal fault ({type(fault).__name__}); no results were written. Details are in the file above.\n"
        "  处理: 把该文件（其中可能含有数据）交给维护者。\n  Next: hand that file (it may hold data) to the maintainers."
    )
