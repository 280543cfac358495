"""Commands: scores beyond the survey's own."""

from __future__ import annotations

from pathlib import Path

import click

from .options import ENGINE, FOLDER


@click.command()
@click.argument("folder", type=FOLDER)
@click.option("--declared", type=FOLDER, help="缺省 FOLDER/combined.yaml default: FOLDER/combined.yaml")
@ENGINE
def combined(folder: Path, declared: Path | None, engine: str) -> None:
    """与暗访、实地、材料等部分合成综合得分并排名，写入 FOLDER/out/。 Combine the survey with other components and rank."""
    from ..combined import combine
    from ..combined.files import combined_lines, export_combined
    from ..pipeline import run
    from ..survey import read_survey

    results = run(read_survey(folder), engine=engine)  # type: ignore[arg-type]  # click has checked it
    found = combine(results, declared or folder / "combined.yaml")
    written = export_combined(results, found)
    click.echo("\n".join([*combined_lines(results, found), "", f"结果 results: {written}"]))
