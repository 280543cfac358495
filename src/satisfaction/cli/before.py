"""Commands: questionnaires, forms and new survey folders.

Commands: before a wave.

Commands: simulated data.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from satisfaction.cli.options import ENGINE, FOLDER, USER_FAULT

if TYPE_CHECKING:
    import pandas as pd

    from satisfaction.collection.forms.xlsform_reading import Draft


@click.command()
@click.argument("questionnaire", type=FOLDER, required=False)
@click.option(
    "--check", "checked", type=FOLDER, help="检查 XLSForm 工作簿 check an XLSForm workbook"
)
@click.option(
    "--read", "taken", type=FOLDER, help="把 XLSForm 读回为 YAML read an XLSForm back as YAML"
)
@click.option(
    "--out",
    type=FOLDER,
    help="新文件夹；与 --read 同用时为 YAML 文件 a new folder; with --read a YAML file",
)
def form(
    questionnaire: Path | None, checked: Path | None, taken: Path | None, out: Path | None
) -> None:
    """由 QUESTIONNAIRE（YAML）写出 XLSForm、编码手册与打印问卷。 Write XLSForm, codebook and a page to print from a questionnaire."""
    if sum(one is not None for one in (questionnaire, checked, taken)) != 1:
        raise click.UsageError(
            "写明问卷文件、--check 或 --read 之一 give one of: a questionnaire file, --check, --read"
        )
    from satisfaction.collection import forms

    if checked:
        _tell_faults(forms.check_xlsform(checked))
    elif taken and forms.is_foreign(taken):
        _tell_draft(forms.draft_xlsform(taken), out)
    elif taken:
        read = forms.read_xlsform(taken)
        click.echo(
            f"问卷 questionnaire: {forms.write_yaml(read, out)}"
            if out
            else forms.questionnaire_yaml(read)
        )
    elif questionnaire:
        from satisfaction.declarations.questionnaire import read_questionnaire

        read = read_questionnaire(questionnaire)
        click.echo(
            f"已写出 written: {forms.write_forms(read, out or Path(f'{read.questionnaire}-{read.version}-form'))}"
        )


@click.command()
@click.option(
    "--kind",
    type=click.Choice(["questionnaire", "survey", "rules"]),
    default="questionnaire",
    show_default=True,
)
def schema(kind: str) -> None:
    """打印 YAML 文件的 JSON Schema，供编辑器使用。 Print the JSON Schema of a YAML file, for editors."""
    import json

    from satisfaction.declarations.questionnaire import json_schema
    from satisfaction.declarations.rules import Rules
    from satisfaction.declarations.wave import SurveyFile

    shapes = {
        "survey": SurveyFile.model_json_schema,
        "rules": Rules.model_json_schema,
        "questionnaire": json_schema,
    }
    click.echo(json.dumps(shapes[kind](), ensure_ascii=False, indent=1))


@click.command()
@click.argument("folder", type=FOLDER)
@click.option("--questionnaire", help="名称@版本 name@version")
@click.option("--areas", type=FOLDER, help="地区表 table of areas")
@click.option(
    "--like",
    type=FOLDER,
    help="沿用一期已有调查的声明 take over the declarations of an earlier survey",
)
@click.option(
    "--counties",
    default="",
    help="只调查这些地区：代码或名称，逗号隔开 only these areas: codes or names, commas between",
)
def new(
    folder: Path, questionnaire: str | None, areas: Path | None, like: Path | None, counties: str
) -> None:
    """新建调查文件夹 FOLDER：声明与待填工作簿。 Write a new survey folder: declarations, and workbooks to fill in."""
    from satisfaction.declarations.new_wave import new_wave

    only = [name.strip() for name in counties.replace("，", ",").split(",") if name.strip()]
    written = new_wave(
        folder, questionnaire=questionnaire, areas=areas, like=like, only=only, tell=click.echo
    )
    click.echo(
        f"已新建 written: {written}\n"
        f"1. 填写 fill in: {written / 'responses' / 'responses.xlsx'}\n"
        f"2. 补全 survey.yaml 中的来源与日期 (YYYY-MM-DD) complete sources and dates: {written / 'survey.yaml'}\n"
        f"3. satisfaction check {written}\n4. satisfaction run {written}"
    )


def _tell_draft(draft: Draft, out: Path | None) -> None:
    """Write or print the draft of a questionnaire, then what is still to be declared, each once."""
    from satisfaction.collection import forms

    click.echo(f"草稿 draft: {forms.write_new(draft.text, out)}" if out else draft.text)
    click.echo(
        "这份表单不是由本软件写出的，读出的是草稿；以下各项要在 YAML 中声明或改正: "
        "This form was not written here and gives a draft; to be declared or corrected in the YAML:",
        err=True,
    )
    click.echo("\n".join(f"  {line}" for line in draft.lacking), err=True)


def _tell_faults(faults: pd.DataFrame) -> None:
    """Print the faults of a form, one a line; any fault makes the exit code non-zero."""
    for fault in faults.itertuples(index=False):
        advice = f" 改为 use: {fault.suggestion}" if fault.suggestion else ""
        click.echo(
            f"[{fault.rule}] {fault.sheet} row {fault.row} {fault.column}: {fault.value!r} {fault.zh} {fault.en}.{advice}"
        )
    click.echo(f"共 {len(faults)} 处 faults: {len(faults)}")
    if len(faults):
        sys.exit(USER_FAULT)


@click.command()
@click.argument("frame", type=FOLDER)
@click.option("--out", type=FOLDER, required=True, help="新文件夹 a new folder")
@click.option(
    "--psu", default="community", show_default=True, help="初级单元的列 column of PSU codes"
)
@click.option("--size", default="adults", show_default=True, help="规模的列 column of sizes")
@click.option(
    "--strata",
    default="county,residence",
    show_default=True,
    help="层的列，逗号隔开 columns of strata",
)
@click.option(
    "--take", type=click.IntRange(min=1), help="每层每期的初级单元数 PSUs a stratum and wave"
)
@click.option(
    "--take-from",
    type=FOLDER,
    help="各层数目的表（层的列与 take） a table of numbers by stratum (column take)",
)
@click.option(
    "--persons",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="每个初级单元的访问数 interviews a PSU",
)
@click.option(
    "--method",
    type=click.Choice(["systematic", "brewer", "sampford"]),
    default="systematic",
    show_default=True,
)
@click.option(
    "--waves", type=int, default=1, show_default=True, help="一次抽取的期数 waves drawn together"
)
@click.option(
    "--overlap",
    type=float,
    default=0.0,
    show_default=True,
    help="下一期保留的比例 share the next wave keeps",
)
@click.option(
    "--reserve", type=int, default=0, show_default=True, help="每层的备用单元 reserves a stratum"
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    required=True,
    help="随机种子，请保存 random seed: keep it",
)
@click.option("--simulated", is_flag=True, help="抽样框是模拟的 the frame is simulated")
def draw(
    frame: Path, out: Path, psu: str, size: str, strata: str, take: int | None, take_from: Path | None, persons: int, method: str,
    waves: int, overlap: float, reserve: int, seed: int, simulated: bool,
) -> None:  # fmt: skip
    """从抽样框 FRAME 按规模成比例抽取初级单元。 Draw PSUs with probabilities proportional to size from the table FRAME."""
    import pandas as pd

    from satisfaction.foundation.files import recorded
    from satisfaction.foundation.tables import read_table
    from satisfaction.planning.draw import check_frame_table, draw_sample
    from satisfaction.planning.planning_files import read_take, write_draw

    if (take is None) == (take_from is None):
        raise click.UsageError("写明 --take 或 --take-from 之一 give one of --take and --take-from")
    columns = [name.strip() for name in strata.replace("，", ",").split(",") if name.strip()]
    with recorded() as read:
        table = read_table(frame).map(str.strip)
    check_frame_table(table, psu=psu, strata=columns, size=size)
    table[size] = pd.to_numeric(table[size])
    wanted = take if take_from is None else read_take(take_from, columns)
    drawn = draw_sample(
        table, psu=psu, strata=columns, size=size, take=wanted, method=method, waves=waves,  # type: ignore[arg-type]  # click has checked them
        overlap=overlap, reserve=reserve, seed=seed,
    )  # fmt: skip
    mark = "模拟数据，不是真实抽样框 simulated frame, not a real one" if simulated else ""
    written = write_draw(
        drawn, out, psu=psu, size=size, persons=persons, frame=read, simulated=mark
    )
    first = drawn.wave(1)
    click.echo(
        "\n".join(
            filter(
                None,
                [
                    mark,
                    f"抽取 drawn: {len(first)} 个初级单元 PSUs，{len(drawn.summary)} 层 strata，{len(first) * persons} 份访问 interviews",
                ],
            )
        )
    )
    click.echo(
        f"样本 sample: {written / 'sample.csv'}\n各期与备用 waves and reserves: {written / 'panel.csv'}\n抽户与抽人 sheets: {written / 'sheets.html'}"
    )


@click.command("next-sample")
@click.argument("panel", type=FOLDER)
@click.option("--wave", type=int, required=True, help="第几期 which wave")
@click.option("--out", type=FOLDER, required=True, help="新的样本表 a new table")
def next_sample(panel: Path, wave: int, out: Path) -> None:
    """由轮换样本 panel.csv 取出以后一期的样本。 Take a later wave's sample from the panel of a draw."""
    from satisfaction.foundation.files import check_new_file
    from satisfaction.planning.planning_files import next_sample as taken
    from satisfaction.planning.planning_files import write_sample

    check_new_file(out, (".csv",), argument="--out")
    table = taken(panel, wave=wave)
    click.echo(f"样本 sample: {write_sample(table, out)}  {len(table)} 个初级单元 PSUs")


@click.command()
@click.argument("folder", type=FOLDER)
@click.option(
    "--per-psu",
    type=int,
    default=10,
    show_default=True,
    help="每个初级单元的访问数 interviews a PSU",
)
@click.option(
    "--budget",
    type=int,
    help="要分配的初级单元数，缺省为本期的 PSUs to divide; default: this wave's",
)
@click.option("--interval", type=float, help="区间半宽 half width of an interval")
@click.option("--difference", type=float, help="要发现的两县之差 a difference to be found")
@click.option("--change", type=float, help="要发现的变化 a change to be found")
@click.option("--reliability", type=float, help="信度 reliability, 0-1")
@click.option(
    "--establish",
    type=float,
    help="真正末位中要确认的比例 share of the truly last ones to be established, 0-1",
)
@click.option("--within", multiple=True, metavar="MEASURE@LEVEL=HALF_WIDTH", help="可多次：同时满足的区间半宽 repeatable: half widths kept together, such as awareness@province=0.01")  # fmt: skip
@click.option("--power", type=float, default=0.8, show_default=True)
@click.option(
    "--overlap",
    type=float,
    default=0.25,
    show_default=True,
    help="两期共有的初级单元比例 share of PSUs in both waves",
)
@ENGINE
def plan(
    folder: Path, per_psu: int, budget: int | None, interval: float | None, difference: float | None, change: float | None,
    reliability: float | None, establish: float | None, within: tuple[str, ...], power: float, overlap: float, engine: str,
) -> None:  # fmt: skip
    """由上一期 FOLDER 规划下一期的样本量与分配。 Plan size and allocation of the next wave from the wave in FOLDER.

    例如 for instance: satisfaction plan surveys/guizhou-2026q3 --interval 2 --establish 0.5
    不写要求时只比较各种分法 without a wish only ways of dividing are compared
    """
    from satisfaction.declarations.survey import read_survey
    from satisfaction.pipeline import run
    from satisfaction.planning.allocation import read_limit
    from satisfaction.planning.plan import Wishes, make_plan
    from satisfaction.planning.planning_files import write_plan

    results = run(read_survey(folder), engine=engine)  # type: ignore[arg-type]  # click has checked it
    limits = tuple(read_limit(text, results) for text in within)
    wishes = Wishes(
        interval, difference, change, reliability, establish, power, overlap, limits=limits
    )
    made = make_plan(results, wishes, per_psu=per_psu, budget=budget)
    click.echo("\n".join([*made.lines, "", f"结果 results: {write_plan(results, made)}"]))


@click.command()
@click.argument("folder", type=FOLDER, required=False)
@click.option(
    "--rows",
    type=int,
    help="写出这么多行答案的 Parquet，供试引擎 write so many rows of answers as Parquet, to try engines",
)
@click.option("--out", type=FOLDER, help="与 --rows 同用：新文件夹 with --rows: a new folder")
@click.option(
    "--items",
    type=int,
    default=4,
    show_default=True,
    help="与 --rows 同用：题数 with --rows: items",
)
@click.option(
    "--seed",
    type=int,
    default=None,
    help="缺省为 survey.yaml 中的种子 default: the seed in survey.yaml",
)
def simulate(
    folder: Path | None, rows: int | None, out: Path | None, items: int, seed: int | None
) -> None:
    """重新模拟一次调查的样本、真值与答卷。 Simulate sample, truth and responses of the survey in FOLDER anew."""
    if (folder is None) == (rows is None) or (rows is None) != (out is None):
        raise click.UsageError(
            "写明调查文件夹，或 --rows 与 --out give a survey folder, or --rows and --out"
        )
    if rows is not None and out is not None:
        from satisfaction.planning.rehearsal.folder import simulate_rows

        click.echo(
            f"模拟数据已写入 simulated data written: {simulate_rows(rows, out, items=items, seed=seed or 1)}"
        )
    if folder is not None:
        from satisfaction.planning.rehearsal.folder import simulate_survey

        simulate_survey(folder, seed=seed)
        click.echo(f"模拟数据已写入 simulated data written: {folder}")
