"""Commands: what the survey team does with responses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import FOLDER

if TYPE_CHECKING:
    import datetime

    import pandas as pd


@click.command()
@click.argument("folder", type=FOLDER)
@click.option(
    "--rejected", "workbook", type=FOLDER, help="把拒收的行写入工作簿供改正 write the rejected rows to a workbook to correct"
)
def check(folder: Path, workbook: Path | None) -> None:
    """只检查答卷，不计算。 Check the responses of the survey in FOLDER without computing anything."""
    from ..published import mark
    from ..responses import load_responses, write_rejected
    from ..survey import read_survey

    survey = read_survey(folder)
    responses = load_responses(survey)
    said = responses.log.groupby(["rule", "action", "zh", "en"]).size().rename("n").reset_index()
    columns, plain = responses.columns, (responses.columns["how"] == "name") & (responses.columns["note"] == "")
    click.echo(f"按列名认出 columns matched by name: {plain.sum()} / {len(columns)}")
    shown = {
        "其余的列 the other columns": columns[~plain],
        "文件 files": responses.summary,
        "有问题的访问员 interviewers with faults": _faulty(responses.by_interviewer),
        "有问题的地区 areas with faults": _faulty(responses.by_area),
        "规则 rules": said,
    }
    for title, table in shown.items():
        click.echo(f"{title}\n{table.to_string(index=False)}\n" if len(table) else f"{title}: 无 none\n")
    if workbook:
        write_rejected(responses, survey.questionnaire, workbook, mark=mark(survey))
        click.echo(f"拒收的行 rejected rows: {workbook}\n改正后 then: satisfaction corrections {folder} {workbook}")


@click.command()
@click.argument("folder", type=FOLDER)
@click.argument("corrected", type=FOLDER)
@click.option("--by", default="", help="改正人 who corrected")
def corrections(folder: Path, corrected: Path, by: str) -> None:
    """把 CORRECTED 工作簿中改正的单元格记入 FOLDER/corrections.csv。 Add the cells corrected in the workbook to corrections.csv."""
    import datetime

    from ..responses import correct_responses
    from ..survey import read_survey

    added = correct_responses(read_survey(folder), corrected, by=by, on=datetime.date.today())
    click.echo(f"已记录更正 corrections recorded: {len(added)}  {folder / 'corrections.csv'}")


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


def _faulty(account: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of an account that have something rejected or blanked."""
    return account[(account[["rejected", "blanked"]] > 0).any(axis=1)] if len(account) else account
