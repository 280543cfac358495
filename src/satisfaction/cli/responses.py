"""Commands: what the survey team does with responses."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from satisfaction.cli.options import FOLDER, USER_FAULT

if TYPE_CHECKING:
    import datetime

    import pandas as pd

    from satisfaction.collection.responses import Responses
    from satisfaction.declarations.survey import Survey
    from satisfaction.foundation.errors import SatisfactionError


WORDINGS = ("R301", "R302", "R303")


@click.command()
@click.argument("folder", type=FOLDER)
@click.option(
    "--rejected",
    "workbook",
    type=FOLDER,
    help="把拒收的行写入工作簿供改正 write the rejected rows to a workbook to correct",
)
@click.option(
    "--columns",
    "every_column",
    is_flag=True,
    help="逐列列出认出的题目 list what every column was matched to",
)
def check(folder: Path, workbook: Path | None, every_column: bool) -> None:
    """只检查答卷，不计算。 Check the responses of the survey in FOLDER without computing anything."""
    from satisfaction.collection.corrections import write_rejected
    from satisfaction.collection.responses import load_responses
    from satisfaction.declarations.survey import read_survey
    from satisfaction.foundation.files import check_new_file

    if workbook:
        check_new_file(workbook, (".xlsx",), argument="--rejected")
    survey = read_survey(folder, ranking=False)
    responses = load_responses(survey, purpose="check")
    problems = _tell_verdict(survey, responses)
    log = responses.log
    said = log.groupby(["rule", "action", "zh", "en"]).size().rename("n").reset_index()
    columns = responses.columns
    click.echo(
        f"认出的列 columns recognised: {(columns['how'] != '').sum()} / {len(columns)}（--columns）"
    )
    shown = {
        "文件 files": responses.summary[
            ["file", "sheet", "rows", "accepted", "rejected", "blanked", "ignored_columns", "note"]
        ],
        "有问题的访问员 interviewers with faults": _faulty(responses.by_interviewer),
        "有问题的地区 areas with faults": _faulty(responses.by_area),
        "规则 rules": said,
        "换读的说法 wordings read as answers or as empty": log.loc[
            log["rule"].isin(WORDINGS), ["file", "column", "value", "zh", "en"]
        ],
        "问卷不认识的答案 unknown answers": responses.unknown,
    }
    if every_column:
        shown["列 columns"] = columns
    for title, table in shown.items():
        click.echo(
            f"{title}\n{table.to_string(index=False)}\n" if len(table) else f"{title}: 无 none\n"
        )
    if workbook and len(responses.to_correct):
        write_rejected(responses, survey.questionnaire, workbook, mark=str(survey.marks or ""))
        click.echo(
            f"待改正的行 rows to correct: {workbook}\n改正后 then: satisfaction corrections {folder} {workbook}"
        )
    elif workbook:
        click.echo("没有待改正的行，未写工作簿。 No rows to correct; no workbook was written.")
    if problems:
        sys.exit(USER_FAULT)


@click.command()
@click.argument("folder", type=FOLDER)
@click.argument("corrected", type=FOLDER, required=False)
@click.option("--by", default="", help="改正人 who corrected")
@click.option("--check", "checked", is_flag=True, help="只看已记录的更正能否逐行重放 only see whether the corrections recorded can be replayed")  # fmt: skip
@click.option("--set-aside", "aside", is_flag=True, help="不能重放的行不再使用；原记录另存于旁边 leave out the rows that cannot be replayed; the log as it was is kept beside")  # fmt: skip
def corrections(folder: Path, corrected: Path | None, by: str, checked: bool, aside: bool) -> None:
    """把 CORRECTED 工作簿中改正的单元格记入 FOLDER/corrections.csv。 Add the cells corrected in the workbook to corrections.csv."""
    import datetime

    if sum([corrected is not None, checked, aside]) != 1:
        raise click.UsageError(
            "写明工作簿、--check 或 --set-aside 之一 give one of: the workbook, --check, --set-aside"
        )
    if corrected is None:
        _tell_log(folder, aside=aside)
        return
    from satisfaction.collection.responses import correct_responses
    from satisfaction.declarations.survey import read_survey

    found = correct_responses(
        read_survey(folder, ranking=False), corrected, by=by, on=datetime.date.today()
    )
    click.echo(f"已记录更正 corrections recorded: {len(found.added)}  {folder / 'corrections.csv'}")
    if found.repeated:
        click.echo(f"以前已记录、不再重复 recorded before and not again: {found.repeated}")
    if not len(found.added) and not found.repeated:
        click.echo("工作簿里没有改动过的单元格。 No cell of the workbook was changed.")
    if len(found.still):
        faults = found.still[["file", "row", "column", "value", "zh", "en", "suggestion"]]
        click.echo(
            f"这些行改正后仍有问题 rows that are still not right:\n{faults.to_string(index=False)}"
        )


def _tell_log(folder: Path, *, aside: bool) -> None:
    """Say whether the log of corrections can be replayed, or take out the rows that cannot."""
    import datetime

    from satisfaction.collection.responses import check_corrections, set_corrections_aside
    from satisfaction.declarations.survey import CORRECTIONS_FILE, read_survey

    survey = read_survey(folder)
    if not (folder / CORRECTIONS_FILE).is_file():
        click.echo(f"没有更正记录 there is no log of corrections: {folder / CORRECTIONS_FILE}")
        return
    kept, faults = set_corrections_aside(survey, on=datetime.date.today()) if aside else (None, ())
    if faults:
        click.echo(f"不能重放、不再使用 cannot be replayed and are left out: {len(faults)}")
        click.echo("\n".join(f"  {fault.where}: {fault.zh} {fault.en}" for fault in faults))
        click.echo(f"原来的记录 the log as it was: {kept}")
    click.echo(
        f"更正记录可以逐行重放 the log can be replayed: {check_corrections(survey)}  {folder / CORRECTIONS_FILE}"
    )


@click.command()
@click.argument("folder", type=FOLDER)
@click.option(
    "--day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="截至某日，缺省为最后访问日 up to a day; default: the last one",
)
def fieldwork(folder: Path, day: datetime.datetime | None) -> None:
    """实施质量：当日工作簿与每县一页，写入 FOLDER/out/。 Fieldwork quality: a workbook of the day and a page a county."""
    from satisfaction.collection.responses import load_responses
    from satisfaction.declarations.survey import read_survey
    from satisfaction.fieldwork.daily import summary_lines, write_fieldwork
    from satisfaction.fieldwork.standing import stand

    survey = read_survey(folder, ranking=False)
    standing = stand(survey, load_responses(survey), day=day and day.date())
    click.echo("\n".join(summary_lines(standing, write_fieldwork(standing))))


def _tell_verdict(survey: Survey, responses: Responses) -> list[SatisfactionError]:
    """Say first whether a run would go through and on what it would stop; then what is not read and which areas are absent.

    Returns
    -------
    list of SatisfactionError
        On what a run would stop.
    """
    from satisfaction.collection.account import coverage_lines, unanswered_areas, unread_lines
    from satisfaction.foundation.errors import listed, number_of
    from satisfaction.foundation.yaml import placeholders

    counts = responses.summary[["rows", "accepted", "rejected", "blanked"]].sum()
    of_design = _fault_of_design(survey, responses) if counts.accepted else None
    problems = [*responses.problems, *filter(None, [survey.rule_fault, of_design])]
    if not problems:
        click.echo("可以运行 can be run")
    else:
        click.echo(
            f"不能运行：{len(problems)} 个问题 cannot be run: {number_of(len(problems), 'problem')}"
        )
        click.echo(listed(problems, folder=str(survey.folder)), err=True)
    if places := placeholders(survey.sources):
        click.echo(
            "这些行还是占位文字，写明来源或名称之前 run 与 report 不公布 "
            "the template's words still stand in these lines; run and report publish nothing before they are replaced:\n  "
            + "\n  ".join(places),
            err=True,
        )
    for line in (
        *unread_lines(responses.not_read),
        *coverage_lines(survey, unanswered_areas(survey, responses.by_area)),
    ):
        click.echo(line)
    click.echo(
        f"读入 read {counts.rows} = 接受 accepted {counts.accepted} + 拒收 rejected {counts.rejected}; 空白 blanked {counts.blanked}\n"
    )
    return problems


def _faulty(account: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of an account that have something rejected or blanked."""
    return account[(account[["rejected", "blanked"]] > 0).any(axis=1)] if len(account) else account


def _fault_of_design(survey: Survey, responses: Responses) -> SatisfactionError | None:
    """Return what a run would refuse of strata with a single PSU; only where there are some is the design made."""
    roles = survey.questionnaire.roles
    psu = responses.accepted[roles.psu or roles.respondent]
    strata = [responses.accepted[name] for name in roles.strata] or [psu.map(lambda _: "all")]
    if psu.groupby(strata).nunique().min() > 1:
        return None
    from satisfaction.foundation.errors import SatisfactionError
    from satisfaction.pipeline import base_design, lonely_note

    try:
        design = base_design(survey, responses, engine="pandas")
    except SatisfactionError as fault:
        return fault
    if note := lonely_note(survey, design):
        click.echo(note)
    return None
