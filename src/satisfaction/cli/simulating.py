"""Commands: simulated data."""

from __future__ import annotations

from pathlib import Path

import click

from .options import FOLDER


@click.command()
@click.argument("folder", type=FOLDER)
@click.option("--seed", type=int, default=None, help="缺省为 survey.yaml 中的种子 default: the seed in survey.yaml")
def simulate(folder: Path, seed: int | None) -> None:
    """重新模拟一次调查的样本、真值与答卷。 Simulate sample, truth and responses of the survey in FOLDER anew."""
    from ..simulate import simulate_survey

    simulate_survey(folder, seed=seed)
    click.echo(f"模拟数据已写入 simulated data written: {folder}")
