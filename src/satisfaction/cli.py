"""The command line. Heavy imports stay inside the commands; every failure is one message and a non-zero exit."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .errors import SatisfactionError

if TYPE_CHECKING:
    import datetime

    import pandas as pd

    from .pipeline import Results

FOLDER = click.Path(path_type=Path)
USER_FAULT, OWN_FAULT = 2, 3


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="satisfaction")
def cli() -> None:
    """居民满意度调查：从答卷到指数、误差与名次。 Resident satisfaction surveys: from responses to indices, errors and ranks."""


@cli.command()
@click.argument("folder", type=FOLDER)
@click.option("--engine", type=click.Choice(["duckdb", "pandas", "polars"]), default="duckdb", show_default=True)
@click.option("--notebooks", is_flag=True, help="同时执行五个笔记本 also execute the five notebooks")
@click.option(
    "--handover",
    is_flag=True,
    help="同时写出 handover/：逐人加权数据与 R 脚本，供同事在 R 中继续；不属于公布的文件 "
    "also write handover/: weighted respondent-level data and an R script; not part of the published file set",
)
def run(folder: Path, engine: str, notebooks: bool, handover: bool) -> None:
    """运行一次调查，结果写入 FOLDER/out/。 Run the survey in FOLDER; results go to FOLDER/out/."""
    from .export import export_dated, revision_of
    from .pipeline import run as run_survey
    from .survey import read_survey

    survey = read_survey(folder)
    results = run_survey(survey, engine=engine)  # type: ignore[arg-type]  # click has checked it
    written = export_dated(results, handover=handover)
    _summary(results)
    click.echo(f"\n结果 results: {written}\n           = {written.parent / 'latest'}  修订 revision {revision_of(written)}")
    if handover:
        _tell_handover(results, written / "handover")
    if notebooks:
        from .lab import run_notebooks

        click.echo(f"笔记本 notebooks: {run_notebooks(survey, written.with_name(written.name + '-notebooks'))}")


@cli.command()
@click.argument("folder", type=FOLDER)
@click.option(
    "--rejected", "workbook", type=FOLDER, help="把拒收的行写入工作簿供改正 write the rejected rows to a workbook to correct"
)
def check(folder: Path, workbook: Path | None) -> None:
    """只检查答卷，不计算。 Check the responses of the survey in FOLDER without computing anything."""
    from .published import mark
    from .responses import load_responses, write_rejected
    from .survey import read_survey

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


@cli.command()
@click.argument("folder", type=FOLDER)
@click.argument("corrected", type=FOLDER)
@click.option("--by", default="", help="改正人 who corrected")
def corrections(folder: Path, corrected: Path, by: str) -> None:
    """把 CORRECTED 工作簿中改正的单元格记入 FOLDER/corrections.csv。 Add the cells corrected in the workbook to corrections.csv."""
    import datetime

    from .responses import correct_responses
    from .survey import read_survey

    added = correct_responses(read_survey(folder), corrected, by=by, on=datetime.date.today())
    click.echo(f"已记录更正 corrections recorded: {len(added)}  {folder / 'corrections.csv'}")


@cli.command()
@click.option("--kind", type=click.Choice(["questionnaire", "survey", "rules"]), default="questionnaire", show_default=True)
def schema(kind: str) -> None:
    """打印 YAML 文件的 JSON Schema，供编辑器使用。 Print the JSON Schema of a YAML file, for editors."""
    import json

    from .questionnaire import json_schema
    from .survey import Rules, SurveyFile

    shapes = {"survey": SurveyFile.model_json_schema, "rules": Rules.model_json_schema, "questionnaire": json_schema}
    click.echo(json.dumps(shapes[kind](), ensure_ascii=False, indent=1))


@cli.command()
@click.argument("folder", type=FOLDER)
@click.option("--seed", type=int, default=None, help="缺省为 survey.yaml 中的种子 default: the seed in survey.yaml")
def simulate(folder: Path, seed: int | None) -> None:
    """重新模拟一次调查的样本、真值与答卷。 Simulate sample, truth and responses of the survey in FOLDER anew."""
    from .simulate import simulate_survey

    simulate_survey(folder, seed=seed)
    click.echo(f"模拟数据已写入 simulated data written: {folder}")


@cli.command()
@click.argument("old", type=FOLDER)
@click.argument("new", type=FOLDER)
@click.option("--measure", default=None, help="缺省为问卷的排名指标 default: the measure the questionnaire ranks")
@click.option("--engine", type=click.Choice(["duckdb", "pandas", "polars"]), default="duckdb", show_default=True)
def change(old: Path, new: Path, measure: str | None, engine: str) -> None:
    """比较两期：得分与名次的变化有多确定，写入 NEW/out/。 Compare two waves: how certain changes of scores and ranks are."""
    from .waves import change_lines, export_change, run_change

    found = run_change(old, new, measure=measure, engine=engine)  # type: ignore[arg-type]  # click has checked it
    written = export_change(found)
    click.echo("\n".join([*change_lines(found), "", f"结果 results: {written}"]))


@cli.command()
@click.argument("folders", type=FOLDER, nargs=-1, required=True)
@click.option("--last", type=int, default=None, help="只用最后几期 only the last waves")
@click.option("--measure", default=None, help="缺省为问卷的排名指标 default: the measure the questionnaire ranks")
@click.option("--engine", type=click.Choice(["duckdb", "pandas", "polars"]), default="duckdb", show_default=True)
def rolling(folders: tuple[Path, ...], last: int | None, measure: str | None, engine: str) -> None:
    """几期的平均指数与名次，由旧到新给出，写入最后一期的 out/。 Average index over waves, oldest first, and the ranking on it."""
    from .waves import export_rolling, rolling_lines, run_rolling

    found = run_rolling(folders, last=last, measure=measure, engine=engine)  # type: ignore[arg-type]  # click has checked it
    written = export_rolling(found)
    click.echo("\n".join([*rolling_lines(found), "", f"结果 results: {written}"]))


@cli.command()
@click.argument("questionnaire", type=FOLDER, required=False)
@click.option("--check", "checked", type=FOLDER, help="检查 XLSForm 工作簿 check an XLSForm workbook")
@click.option("--read", "taken", type=FOLDER, help="把 XLSForm 读回为 YAML read an XLSForm back as YAML")
@click.option("--out", type=FOLDER, help="新文件夹；与 --read 同用时为 YAML 文件 a new folder; with --read a YAML file")
def form(questionnaire: Path | None, checked: Path | None, taken: Path | None, out: Path | None) -> None:
    """由 QUESTIONNAIRE（YAML）写出 XLSForm、编码手册与打印问卷。 Write XLSForm, codebook and a page to print from a questionnaire."""
    if sum(one is not None for one in (questionnaire, checked, taken)) != 1:
        raise click.UsageError("写明问卷文件、--check 或 --read 之一 give one of: a questionnaire file, --check, --read")
    from . import forms

    if checked:
        _tell_faults(forms.check_xlsform(checked))
    elif taken:
        read = forms.read_xlsform(taken)
        click.echo(f"问卷 questionnaire: {forms.write_yaml(read, out)}" if out else forms.questionnaire_yaml(read))
    elif questionnaire:
        from .questionnaire import read_questionnaire

        read = read_questionnaire(questionnaire)
        click.echo(f"已写出 written: {forms.write_forms(read, out or Path(f'{read.questionnaire}-{read.version}-form'))}")


@cli.command()
@click.argument("folder", type=FOLDER)
@click.option("--questionnaire", help="名称@版本 name@version")
@click.option("--areas", type=FOLDER, help="地区表 table of areas")
@click.option("--like", type=FOLDER, help="沿用一期已有调查的声明 take over the declarations of an earlier survey")
def new(folder: Path, questionnaire: str | None, areas: Path | None, like: Path | None) -> None:
    """新建调查文件夹 FOLDER：声明与待填工作簿。 Write a new survey folder: declarations, and workbooks to fill in."""
    from .newwave import new_wave

    written = new_wave(folder, questionnaire=questionnaire, areas=areas, like=like)
    click.echo(
        f"已新建 written: {written}\n"
        f"1. 填写 fill in: {written / 'responses' / 'responses.xlsx'}\n"
        f"2. 补全 survey.yaml 中的来源与日期 (YYYY-MM-DD) complete sources and dates: {written / 'survey.yaml'}\n"
        f"3. satisfaction check {written}\n4. satisfaction run {written}"
    )


@cli.command()
@click.argument("folder", type=FOLDER)
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="截至某日，缺省为最后访问日 up to a day; default: the last one")
def fieldwork(folder: Path, day: datetime.datetime | None) -> None:
    """实施质量：当日工作簿与每县一页，写入 FOLDER/out/。 Fieldwork quality: a workbook of the day and a page a county."""
    from .fieldbook import stand, summary_lines, write_fieldwork
    from .responses import load_responses
    from .survey import read_survey

    survey = read_survey(folder)
    standing = stand(survey, load_responses(survey), day=day and day.date())
    click.echo("\n".join(summary_lines(standing, write_fieldwork(standing))))


def _faulty(account: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of an account that have something rejected or blanked."""
    return account[(account[["rejected", "blanked"]] > 0).any(axis=1)] if len(account) else account


def _tell_faults(faults: pd.DataFrame) -> None:
    """Print the faults of a form, one a line; any fault makes the exit code non-zero."""
    for fault in faults.itertuples(index=False):
        advice = f" 改为 use: {fault.suggestion}" if fault.suggestion else ""
        click.echo(f"[{fault.rule}] {fault.sheet} row {fault.row} {fault.column}: {fault.value!r} {fault.zh} {fault.en}.{advice}")
    click.echo(f"共 {len(faults)} 处 faults: {len(faults)}")
    if len(faults):
        sys.exit(USER_FAULT)


def _summary(results: Results) -> None:
    """Print the lines that matter: the account of rows, the whole's figures, the list and what it is worth."""
    from .published import STATUS, area_labels, mark

    survey, counts = results.survey, results.responses.summary[["rows", "accepted", "rejected", "blanked"]].sum()
    whole = next(reversed(results.estimates.values())).table.set_index("measure")
    labels = survey.questionnaire.rates | survey.questionnaire.indices
    names = area_labels(survey)
    click.echo(f"{survey.declared.title}")
    if mark(survey):
        click.echo(f"*** {mark(survey)} ***")
    click.echo(
        f"读入 read {counts.rows} = 接受 accepted {counts.accepted} + 拒收 rejected {counts.rejected}; 空白 blanked {counts.blanked}"
    )
    if results.absent:
        click.echo(f"未声明 not declared: {', '.join(results.absent)}")
    for name, label in labels.items():
        row, scale, unit = whole.loc[name], *((100, "%") if name in survey.questionnaire.rates else (1, ""))
        low, high = row.ci_low * scale, row.ci_high * scale
        click.echo(f"  {label.zh} {label.en}: {row.estimate * scale:.2f}{unit}  ({low:.2f} – {high:.2f})")
    table = results.ranking.table.set_index("unit")
    summary = results.ranking.summary
    click.echo(
        f"名单 listed: 末位 last {len(summary['listed'])} / {summary['p']}，名次范围 = 单个单位 {summary['level']:.0%} 可靠 rank set for one named unit"
    )
    for unit in sorted(summary["listed"], key=lambda code: table.loc[code, "rank"]):
        row = table.loc[unit]
        click.echo(
            f"  {row['rank']:>3} {unit} {names[unit].zh}  {row.estimate:.2f}  名次范围 rank set {row.marginal_low}–{row.marginal_high}  "
            f"P(名单 list) {_probability(row.probability_bottom)}  {STATUS[row.status]}"
        )
    for note in summary["notes"]:
        click.echo(note)


def _tell_handover(results: Results, folder: Path) -> None:
    """Print where the hand-over lies, what it must not be used for, and the design in R."""
    from .handover import design_call

    click.echo(f"移交 hand-over: {folder}")
    click.echo(
        "逐人数据，只供本调查同事，不公布、不报送 respondent-level: for colleagues of the survey only, not for publication"
    )
    click.echo(f"\n{design_call(results)}")


def _probability(p: float) -> str:
    """Write a probability so that nothing is ever printed as certain."""
    return "> 0.99" if p > 0.99 else "< 0.01" if p < 0.01 else f"{p:.2f}"


def main() -> None:
    """Run the command line: a user's fault exits with 2, a fault of ours with 3 and a file for the developers."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        cli(standalone_mode=False)
    except SatisfactionError as fault:
        click.echo(str(fault), err=True)
        sys.exit(USER_FAULT)
    except click.ClickException as fault:
        click.echo(f"命令有误 the command is not right: {fault.format_message()}\n查看用法 see: satisfaction --help", err=True)
        sys.exit(USER_FAULT)
    except (click.Abort, KeyboardInterrupt):
        click.echo("已中断，未留下半成品。 Interrupted; nothing half-written is left.", err=True)
        sys.exit(130)
    except Exception as fault:
        click.echo(_report_own_fault(fault), err=True)
        sys.exit(OWN_FAULT)


def _report_own_fault(fault: Exception) -> str:
    """Keep the traceback in a file and return the message for the user."""
    from .io.files import write_trace

    return (
        f"[Z101] 程序内部错误 ({type(fault).__name__})，结果未写入。详情见 {write_trace()}\n"
        f"[Z101] Internal fault ({type(fault).__name__}); no results were written. Details are in the file above.\n"
        "  处理: 把该文件（其中可能含有数据）交给维护者。\n  Next: hand that file (it may hold data) to the maintainers."
    )
