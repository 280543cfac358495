"""Commands: simulated data."""

from __future__ import annotations

from pathlib import Path

import click

from .options import FOLDER


@click.command()
@click.argument("folder", type=FOLDER, required=False)
@click.option(
    "--rows", type=int, help="写出这么多行答案的 Parquet，供试引擎 write so many rows of answers as Parquet, to try engines"
)
@click.option("--out", type=FOLDER, help="与 --rows 同用：新文件夹 with --rows: a new folder")
@click.option("--items", type=int, default=4, show_default=True, help="与 --rows 同用：题数 with --rows: items")
@click.option("--seed", type=int, default=None, help="缺省为 survey.yaml 中的种子 default: the seed in survey.yaml")
def simulate(folder: Path | None, rows: int | None, out: Path | None, items: int, seed: int | None) -> None:
    """重新模拟一次调查的样本、真值与答卷。 Simulate sample, truth and responses of the survey in FOLDER anew."""
    if (folder is None) == (rows is None) or (rows is None) != (out is None):
        raise click.UsageError("写明调查文件夹，或 --rows 与 --out give a survey folder, or --rows and --out")
    if rows is not None and out is not None:
        from ..simulate.large import simulate_rows

        click.echo(f"模拟数据已写入 simulated data written: {simulate_rows(rows, out, items=items, seed=seed or 1)}")
    if folder is not None:
        from ..simulate import simulate_survey

        simulate_survey(folder, seed=seed)
        click.echo(f"模拟数据已写入 simulated data written: {folder}")
