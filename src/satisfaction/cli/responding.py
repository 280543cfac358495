"""Commands: what the survey team does with responses."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import FOLDER, USER_FAULT

if TYPE_CHECKING:
    import datetime

    import pandas as pd

    from ..responses import Responses
    from ..survey import Survey

WORDINGS = ("R301", "R302", "R303")


@click.command()
@click.argument("folder", type=FOLDER)
@click.option(
    "--rejected", "workbook", type=FOLDER, help="把拒收的行写入工作簿供改正 write the rejected rows to a workbook to correct"
)
def check(folder: Path, workbook: Path | None) -> None:
    """只检查答卷，不计算。 Check the responses of the survey in FOLDER without computing anything."""
    from ..io.files import check_new_file
    from ..responses import load_responses, write_rejected
    from ..survey import read_survey

    if workbook:
        check_new_file(workbook, (".xlsx",), argument="--rejected")
    survey = read_survey(folder)
    responses = load_responses(survey, purpose="check")
    log = responses.log
    said = log.groupby(["rule", "action", "zh", "en"]).size().rename("n").reset_index()
    columns, plain = responses.columns, (responses.columns["how"] == "name") & (responses.columns["note"] == "")
    click.echo(
        f"认出的列 columns recognised: {(columns['how'] != '').sum()} / {len(columns)}"
        f"（其中按列名 of them by name: {plain.sum()}）"
    )
    shown = {
        "其余的列 the other columns": columns[~plain],
        "文件 files": responses.summary,
        "有问题的访问员 interviewers with faults": _faulty(responses.by_interviewer),
        "有问题的地区 areas with faults": _faulty(responses.by_area),
        "规则 rules": said,
        "换读的说法 wordings read as answers or as empty": log.loc[
            log["rule"].isin(WORDINGS), ["file", "column", "value", "zh", "en"]
        ],
        "问卷不认识的答案 unknown answers": responses.unknown,
    }
    for title, table in shown.items():
        click.echo(f"{title}\n{table.to_string(index=False)}\n" if len(table) else f"{title}: 无 none\n")
    if workbook:
        write_rejected(responses, survey.questionnaire, workbook, mark=str(survey.marks or ""))
        click.echo(f"待改正的行 rows to correct: {workbook}\n改正后 then: satisfaction corrections {folder} {workbook}")
    _tell_what_stops(survey, responses)


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
        raise click.UsageError("写明工作簿、--check 或 --set-aside 之一 give one of: the workbook, --check, --set-aside")
    if corrected is None:
        _tell_log(folder, aside=aside)
        return
    from ..responses import correct_responses
    from ..survey import read_survey

    found = correct_responses(read_survey(folder), corrected, by=by, on=datetime.date.today())
    click.echo(f"已记录更正 corrections recorded: {len(found.added)}  {folder / 'corrections.csv'}")
    if found.repeated:
        click.echo(f"以前已记录、不再重复 recorded before and not again: {found.repeated}")
    if not len(found.added) and not found.repeated:
        click.echo("工作簿里没有改动过的单元格。 No cell of the workbook was changed.")
    if len(found.still):
        faults = found.still[["file", "row", "column", "value", "zh", "en", "suggestion"]]
        click.echo(f"这些行改正后仍有问题 rows that are still not right:\n{faults.to_string(index=False)}")


def _tell_log(folder: Path, *, aside: bool) -> None:
    """Say whether the log of corrections can be replayed, or take out the rows that cannot."""
    import datetime

    from ..responses import check_corrections, set_corrections_aside
    from ..survey import CORRECTIONS_FILE, read_survey

    survey = read_survey(folder)
    if not (folder / CORRECTIONS_FILE).is_file():
        click.echo(f"没有更正记录 there is no log of corrections: {folder / CORRECTIONS_FILE}")
        return
    kept, faults = set_corrections_aside(survey, on=datetime.date.today()) if aside else (None, ())
    if faults:
        click.echo(f"不能重放、不再使用 cannot be replayed and are left out: {len(faults)}")
        click.echo("\n".join(f"  {fault.where}: {fault.zh} {fault.en}" for fault in faults))
        click.echo(f"原来的记录 the log as it was: {kept}")
    click.echo(f"更正记录可以逐行重放 the log can be replayed: {check_corrections(survey)}  {folder / CORRECTIONS_FILE}")


@click.command()
@click.argument("folder", type=FOLDER)
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="截至某日，缺省为最后访问日 up to a day; default: the last one")
def fieldwork(folder: Path, day: datetime.datetime | None) -> None:
    """实施质量：当日工作簿与每县一页，写入 FOLDER/out/。 Fieldwork quality: a workbook of the day and a page a county."""
    from ..fieldbook import stand, summary_lines, write_fieldwork
    from ..responses import load_responses
    from ..survey import read_survey

    survey = read_survey(folder)
    standing = stand(survey, load_responses(survey), day=day and day.date())
    click.echo("\n".join(summary_lines(standing, write_fieldwork(standing))))


def _tell_what_stops(survey: Survey, responses: Responses) -> None:
    """Say what a run would refuse although the check went through; the exit code is then not zero."""
    from ..errors import ResponsesError
    from ..responses import refuse_unknown

    words = None
    try:
        refuse_unknown(responses.unknown, survey)
    except ResponsesError as fault:
        words = fault
        click.echo(f"satisfaction run 会停止 `satisfaction run` will stop:\n{fault}", err=True)
    accepted, unknown = int(responses.summary["accepted"].sum()), int((responses.log["rule"] == "R208").sum())
    if unknown and survey.rules.responses.unknown_area == "stop":
        click.echo(
            f"[R102] {unknown} 行的地区代码不在地区表中，satisfaction run 会停止：改正代码，或在 rules.yaml 中写 responses: "
            f"{{unknown_area: reject_row}}。\n[R102] {unknown} rows have an area code that is not in the table of areas; "
            "`satisfaction run` will stop: correct the codes, or write responses: {unknown_area: reject_row} in rules.yaml.",
            err=True,
        )
    if not accepted:
        click.echo(
            "[R104] 全部行被拒收，satisfaction run 会停止。 All rows are rejected; `satisfaction run` will stop.", err=True
        )
    if words or not accepted or (unknown and survey.rules.responses.unknown_area == "stop"):
        sys.exit(USER_FAULT)


def _faulty(account: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of an account that have something rejected or blanked."""
    return account[(account[["rejected", "blanked"]] > 0).any(axis=1)] if len(account) else account
