"""Commands: is a file set what its inputs give, and what differs between two.

Commands: JupyterLab.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click

from satisfaction.cli.options import FOLDER

DIFFERENT = 1


@click.command()
@click.argument("folder", type=FOLDER)
@click.option(
    "--survey",
    type=FOLDER,
    default=None,
    help="调查文件夹，缺省为结果中记录的 default: the one recorded in the set",
)
def verify(folder: Path, survey: Path | None) -> None:
    """由输入重新计算一套结果并比较。 Recompute a file set from its inputs and compare.

    退出码 exit codes: 0 一致 identical; 10 文件被改动 a file was changed by hand; 11 输入已变 inputs changed; 12 程序版本不同
    another program version; 13 不一致且无已知原因 differs without a known cause.
    """
    from satisfaction.comparison.compare import verification_lines
    from satisfaction.publication.verify import verify as verify_set

    found = verify_set(folder, survey=survey)
    click.echo("\n".join(verification_lines(found)))
    if found.code:
        sys.exit(found.code)


@click.command()
@click.argument("old", type=FOLDER)
@click.argument("new", type=FOLDER)
@click.option(
    "--out",
    type=FOLDER,
    default=None,
    help="另存为 .xlsx（原因、估计值、名次）或 .csv（估计值） also write an .xlsx or .csv file",
)
def compare(old: Path, new: Path, out: Path | None) -> None:
    """两套结果有何不同、为什么。 Which figures changed between two file sets, and why.

    退出码 exit codes: 0 估计值与名次相同 the same estimates and ranks; 1 有不同 some differ; 2 不能比较 cannot be compared
    """
    from satisfaction.comparison.compare import WRITTEN, comparison_lines, write_comparison
    from satisfaction.comparison.compare import compare as compare_sets
    from satisfaction.foundation.files import check_new_file

    if out is not None:
        check_new_file(out, WRITTEN, argument="--out")
    found = compare_sets(old, new)
    click.echo("\n".join(comparison_lines(found)))
    if out is not None:
        click.echo(f"已写出 written: {write_comparison(found, out)}")
    if not found.nothing:
        sys.exit(DIFFERENT)


@click.command()
@click.argument("folder", type=FOLDER, default=Path())
@click.option("--no-browser", is_flag=True, help="只打印网址 only print the address")
def lab(folder: Path, no_browser: bool) -> None:
    """在 JupyterLab 中打开项目：先选一期调查，再运行。 Open the project in JupyterLab: choose a wave, run it."""
    from satisfaction.notebook.server import serve

    # as Ctrl+C does: the server and its temporary folder go with the command
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if code := serve(folder, browser=not no_browser, tell=click.echo):
        sys.exit(code)
