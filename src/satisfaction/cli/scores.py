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


@click.command()
@click.argument("folder", type=FOLDER)
@click.option("--measure", help="缺省为问卷的排名指标 default: the measure the questionnaire ranks")
@click.option(
    "--weight-noise", type=float, default=0.25, show_default=True, help="权重上下浮动的比例 share by which weights vary"
)
@click.option("--seed", type=int, default=1, show_default=True)
@ENGINE
def stability(folder: Path, measure: str | None, weight_noise: float, seed: int, engine: str) -> None:
    """换一种权重、归一化、合成或分母，名次变多少。 How ranks move under other weights, scales, aggregations and denominators."""
    from ..pipeline import run
    from ..ranking.unranked import require_ranks
    from ..stability import Choices, make_world
    from ..stability import stability as studied
    from ..stability.files import export_stability, stability_lines
    from ..stability.variants import components_of
    from ..survey import read_survey

    survey = read_survey(folder)
    results = run(survey, engine=engine)  # type: ignore[arg-type]  # click has checked it
    require_ranks(results.ranking, where=str(folder))
    parts = components_of(results, measure=measure, seed=seed)
    world = make_world(parts.scores, parts.errors, parts.weights, choices=Choices(weight_noise=weight_noise), seed=seed)
    found = studied(world, parts.areas, bottom=survey.rules.ranking.list_size, seed=seed)
    written = export_stability(results, found, parts)
    click.echo("\n".join([*stability_lines(results, found), "", f"结果 results: {written}"]))
