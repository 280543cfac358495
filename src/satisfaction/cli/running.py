"""Commands: run, compare and average waves.

Commands: scores beyond the survey's own.

Commands: pages for readers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from satisfaction.cli.options import ENGINE, FOLDER

if TYPE_CHECKING:
    from satisfaction.pipeline import Results
    from satisfaction.publication.report.areas import Language


@click.command()
@click.argument("folder", type=FOLDER)
@ENGINE
@click.option(
    "--notebooks", is_flag=True, help="同时执行五个笔记本 also execute the five notebooks"
)
@click.option(
    "--handover",
    is_flag=True,
    help="同时写出 handover/：逐人加权数据与 R 脚本，供同事在 R 中继续；不属于公布的文件 "
    "also write handover/: weighted respondent-level data and an R script; not part of the published file set",
)
def run(folder: Path, engine: str, notebooks: bool, handover: bool) -> None:
    """运行一次调查，结果写入 FOLDER/out/。 Run the survey in FOLDER; results go to FOLDER/out/."""
    from satisfaction.declarations.survey import read_survey
    from satisfaction.pipeline import run as run_survey
    from satisfaction.publication.file_set import export_dated, revision_of

    survey = read_survey(folder)
    results = run_survey(survey, engine=engine)  # type: ignore[arg-type]  # click has checked it
    written = export_dated(results, handover=handover)
    _summary(results)
    click.echo(
        f"\n结果 results: {written}\n           = {written.parent / 'latest'}  修订 revision {revision_of(written)}"
    )
    if handover:
        _tell_handover(results, written / "handover")
    if notebooks:
        from satisfaction.notebook.notebooks import nothing_for, run_notebooks

        leave_out = nothing_for(results)
        for name, why in leave_out.items():
            click.echo(f"不执行 not executed: {name}（{why}）")
        shelf = written.with_name(f"{written.name}-notebooks")
        run_notebooks(survey, shelf, official=written, leave_out=leave_out)
        click.echo(f"笔记本 notebooks: {shelf}")


@click.command()
@click.argument("old", type=FOLDER)
@click.argument("new", type=FOLDER)
@click.option(
    "--measure",
    default=None,
    help="缺省为问卷的排名指标 default: the measure the questionnaire ranks",
)
@ENGINE
def change(old: Path, new: Path, measure: str | None, engine: str) -> None:
    """比较两期：得分与名次的变化有多确定，写入 NEW/out/。 Compare two waves: how certain changes of scores and ranks are."""
    from satisfaction.comparison.changes import run_change
    from satisfaction.comparison.wave_files import export_change
    from satisfaction.comparison.words import change_lines

    found = run_change(old, new, measure=measure, engine=engine)  # type: ignore[arg-type]  # click has checked it
    written = export_change(found)
    click.echo("\n".join([*change_lines(found), "", f"结果 results: {written}"]))


@click.command()
@click.argument("folders", type=FOLDER, nargs=-1, required=True)
@click.option("--last", type=int, default=None, help="只用最后几期 only the last waves")
@click.option(
    "--measure",
    default=None,
    help="缺省为问卷的排名指标 default: the measure the questionnaire ranks",
)
@ENGINE
def rolling(folders: tuple[Path, ...], last: int | None, measure: str | None, engine: str) -> None:
    """几期的平均指数与名次，由旧到新给出，写入最后一期的 out/。 Average index over waves, oldest first, and the ranking on it."""
    from satisfaction.comparison.roll import run_rolling
    from satisfaction.comparison.wave_files import export_rolling
    from satisfaction.comparison.words import rolling_lines

    found = run_rolling(folders, last=last, measure=measure, engine=engine)  # type: ignore[arg-type]  # click has checked it
    written = export_rolling(found)
    click.echo("\n".join([*rolling_lines(found), "", f"结果 results: {written}"]))


@click.command()
@click.argument("official", type=FOLDER)
@click.argument("trial", type=FOLDER)
@ENGINE
def trial(official: Path, trial: Path, engine: str) -> None:
    """自测与官方调查对照：差异、访问方式、辅导迹象，写入 TRIAL/out/。 A trial of one's own beside the official survey."""
    from satisfaction.comparison.trial import run_trial
    from satisfaction.comparison.wave_files import export_trial
    from satisfaction.comparison.words import trial_lines

    found = run_trial(official, trial, engine=engine)  # type: ignore[arg-type]  # click has checked it
    written = export_trial(found)
    click.echo("\n".join([*trial_lines(found), "", f"结果 results: {written}"]))


def _summary(results: Results) -> None:
    """Print the lines that matter: the account of rows, the whole's figures, the list and what it is worth."""
    from satisfaction.collection.account import coverage_lines, unanswered_areas, unread_lines
    from satisfaction.foundation.figures import probability, rank_set_in_words, unit_of
    from satisfaction.pipeline import lonely_note, replicates_note
    from satisfaction.publication.labels import STATUS, area_labels, mark, whole_code

    survey, counts = (
        results.survey,
        results.responses.summary[["rows", "accepted", "rejected", "blanked"]].sum(),
    )
    whole = results.whole.table.set_index("measure")
    labels = survey.questionnaire.rates | survey.questionnaire.indices
    names = area_labels(survey)
    click.echo(f"{survey.declared.title}")
    if mark(survey):
        click.echo(f"*** {mark(survey)} ***")
    absent = unanswered_areas(survey, results.responses.by_area)
    for line in (*unread_lines(results.responses.not_read), *coverage_lines(survey, absent)):
        click.echo(line)
    click.echo(
        f"读入 read {counts.rows} = 接受 accepted {counts.accepted} + 拒收 rejected {counts.rejected}; 空白 blanked {counts.blanked}"
    )
    if note := lonely_note(survey, results.design):
        click.echo(note)
    for one in results.responses.unknown.itertuples():
        where = " ".join(filter(None, (one.file, one.sheet)))
        near = f"（最近 nearest: {one.near}）" if one.near else ""
        click.echo(
            f"  不认识的答案 unknown answer: {where} {one.title} “{one.word}” × {one.count}{near}"
        )
    if results.absent:
        click.echo(f"未声明 not declared: {', '.join(results.absent)}")
    proven = survey.declared.selection == "probability"
    if proven and replicates_note(results):
        click.echo(f"注意 note: {replicates_note(results)}")
    click.echo(f"{names[whole_code(survey)]}:")
    for name, label in labels.items():
        row = whole.loc[name]
        unit = unit_of("rate" if name in survey.questionnaire.rates else "index")
        interval = unit.limits(row.ci_low, row.ci_high) if proven else ""
        click.echo(f"  {label.zh} {label.en}: {unit.level(row.estimate)}{interval}")
    table = results.ranking.table.set_index("unit")
    summary = results.ranking.summary
    if not results.ranking.ranks_any:
        click.echo("\n".join(summary["notes"]))
        return
    meaning = ""
    if proven:
        meaning = f"，名次范围 = 单个单位 {summary['level']:.0%} 可靠 rank set for one named unit"
    click.echo(f"名单 listed: 末位 last {len(summary['listed'])} / {summary['p']}{meaning}")
    for unit in sorted(summary["listed"], key=lambda code: table.loc[code, "rank"]):
        row = table.loc[unit]
        certainty = ""
        if proven:
            certainty = (
                f"  {rank_set_in_words(row)}  "
                f"P(名单 list) {probability(row.probability_bottom)}  {STATUS[row.status]}"
            )
        click.echo(f"  {row['rank']:>3} {unit} {names[unit].zh}  {row.estimate:.2f}{certainty}")
    for note in summary["notes"]:
        click.echo(note)


def _tell_handover(results: Results, folder: Path) -> None:
    """Print where the hand-over lies, what it must not be used for, and the design in R."""
    from satisfaction.publication.handover import design_call

    click.echo(f"移交 hand-over: {folder}")
    click.echo(
        "逐人数据，只供本调查同事，不公布、不报送 respondent-level: for colleagues of the survey only, not for publication"
    )
    click.echo(f"\n{design_call(results)}")


@click.command()
@click.argument("folder", type=FOLDER)
@click.option(
    "--declared", type=FOLDER, help="缺省 FOLDER/combined.yaml default: FOLDER/combined.yaml"
)
@ENGINE
def combined(folder: Path, declared: Path | None, engine: str) -> None:
    """与暗访、实地、材料等部分合成综合得分并排名，写入 FOLDER/out/。 Combine the survey with other components and rank."""
    from satisfaction.comparison.combined import combine, combined_lines, export_combined
    from satisfaction.declarations.survey import read_survey
    from satisfaction.pipeline import run

    results = run(read_survey(folder), engine=engine)  # type: ignore[arg-type]  # click has checked it
    found = combine(results, declared or folder / "combined.yaml")
    written = export_combined(results, found)
    click.echo("\n".join([*combined_lines(results, found), "", f"结果 results: {written}"]))


@click.command()
@click.argument("folder", type=FOLDER)
@click.option("--measure", help="缺省为问卷的排名指标 default: the measure the questionnaire ranks")
@click.option(
    "--weight-noise",
    type=float,
    default=0.25,
    show_default=True,
    help="权重上下浮动的比例 share by which weights vary",
)
@click.option("--seed", type=int, default=1, show_default=True)
@ENGINE
def stability(
    folder: Path, measure: str | None, weight_noise: float, seed: int, engine: str
) -> None:
    """换一种权重、归一化、合成或分母，名次变多少。 How ranks move under other weights, scales, aggregations and denominators."""
    from satisfaction.comparison.scenarios import Choices, components_of
    from satisfaction.comparison.stability import export_stability, make_world, stability_lines
    from satisfaction.comparison.stability import stability as studied
    from satisfaction.declarations.survey import read_survey
    from satisfaction.pipeline import run
    from satisfaction.ranking.rank import require_ranks

    survey = read_survey(folder)
    results = run(survey, engine=engine)  # type: ignore[arg-type]  # click has checked it
    require_ranks(results.ranking, where=str(folder))
    parts = components_of(results, measure=measure, seed=seed)
    world = make_world(
        parts.scores,
        parts.errors,
        parts.weights,
        choices=Choices(weight_noise=weight_noise),
        seed=seed,
    )
    found = studied(world, parts.areas, bottom=survey.rules.ranking.list_size, seed=seed)
    written = export_stability(results, found, parts)
    click.echo("\n".join([*stability_lines(results, found, parts), "", f"结果 results: {written}"]))


@click.command()
@click.argument("folder", type=FOLDER)
@click.option(
    "--language", type=click.Choice(["both", "zh", "en"]), default="both", show_default=True
)
@click.option(
    "--level",
    "levels",
    multiple=True,
    help="只写这些级别的页面，如 county；缺省为全部 only pages of these levels; default all",
)
@click.option(
    "--pdf", is_flag=True, help="同时打印为 PDF（需要 Chromium、Chrome 或 Edge）also print PDF"
)
@click.option("--out", type=FOLDER, help="新文件夹；缺省 FOLDER/out/<时间>-report a new folder")
@ENGINE
def report(
    folder: Path, language: str, levels: tuple[str, ...], pdf: bool, out: Path | None, engine: str
) -> None:
    """全省报告与每个地区一页（中、英文）。 The report and one page an area, in Chinese and English."""
    from satisfaction.declarations.survey import read_survey
    from satisfaction.foundation.errors import ExportError, one_of
    from satisfaction.pipeline import run
    from satisfaction.publication.report import write_report
    from satisfaction.publication.report.areas import LANGUAGES

    survey = read_survey(folder)
    for level in levels:
        one_of(level, survey.area_levels(), argument="--level", error=ExportError, code="X143")
    results = run(survey, engine=engine)  # type: ignore[arg-type]  # click has checked it
    chosen: tuple[Language, ...] = tuple(one for one in LANGUAGES if language in ("both", one))
    written = write_report(
        results, levels=list(levels) or None, languages=chosen, pdf=pdf, folder=out
    )
    click.echo(f"页面 pages: {written / ('index.html' if 'zh' in chosen else 'index-en.html')}")
