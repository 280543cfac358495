"""The command line. Heavy imports stay inside the commands; every failure is one message and a non-zero exit."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .errors import SatisfactionError

if TYPE_CHECKING:
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
    from .export import export_dated
    from .pipeline import run as run_survey
    from .survey import read_survey

    survey = read_survey(folder)
    results = run_survey(survey, engine=engine)  # type: ignore[arg-type]  # click has checked it
    written = export_dated(results, handover=handover)
    _summary(results)
    click.echo(f"\n结果 results: {written}\n           = {written.parent / 'latest'}")
    if handover:
        _tell_handover(results, written / "handover")
    if notebooks:
        from .lab import run_notebooks

        click.echo(f"笔记本 notebooks: {run_notebooks(survey, written.with_name(written.name + '-notebooks'))}")


@cli.command()
@click.argument("folder", type=FOLDER)
def check(folder: Path) -> None:
    """只检查答卷，不计算。 Check the responses of the survey in FOLDER without computing anything."""
    from .responses import load_responses
    from .survey import read_survey

    responses = load_responses(read_survey(folder))
    click.echo(responses.summary.to_string(index=False))
    click.echo()
    click.echo(responses.log.groupby(["rule", "action", "zh", "en"]).size().rename("n").reset_index().to_string(index=False))


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
