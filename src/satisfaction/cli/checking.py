"""Commands: is a file set what its inputs give, and what differs between two."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .options import FOLDER

DIFFERENT = 1


@click.command()
@click.argument("folder", type=FOLDER)
@click.option("--survey", type=FOLDER, default=None, help="调查文件夹，缺省为结果中记录的 default: the one recorded in the set")
def verify(folder: Path, survey: Path | None) -> None:
    """由输入重新计算一套结果并比较。 Recompute a file set from its inputs and compare.

    退出码 exit codes: 0 一致 identical; 10 文件被改动 a file was changed by hand; 11 输入已变 inputs changed; 12 程序版本不同
    another program version; 13 不一致且无已知原因 differs without a known cause.
    """
    from ..verification import verification_lines
    from ..verification import verify as verify_set

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
    from ..io.files import check_new_file
    from ..verification import compare as compare_sets
    from ..verification import comparison_lines
    from ..verification.compare import WRITTEN, write_comparison

    if out is not None:
        check_new_file(out, WRITTEN, argument="--out")
    found = compare_sets(old, new)
    click.echo("\n".join(comparison_lines(found)))
    if out is not None:
        click.echo(f"已写出 written: {write_comparison(found, out)}")
    if not found.nothing:
        sys.exit(DIFFERENT)
