"""Commands: questionnaires, forms and new survey folders."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import FOLDER, USER_FAULT

if TYPE_CHECKING:
    import pandas as pd

    from ..forms import Draft


@click.command()
@click.argument("questionnaire", type=FOLDER, required=False)
@click.option("--check", "checked", type=FOLDER, help="检查 XLSForm 工作簿 check an XLSForm workbook")
@click.option("--read", "taken", type=FOLDER, help="把 XLSForm 读回为 YAML read an XLSForm back as YAML")
@click.option("--out", type=FOLDER, help="新文件夹；与 --read 同用时为 YAML 文件 a new folder; with --read a YAML file")
def form(questionnaire: Path | None, checked: Path | None, taken: Path | None, out: Path | None) -> None:
    """由 QUESTIONNAIRE（YAML）写出 XLSForm、编码手册与打印问卷。 Write XLSForm, codebook and a page to print from a questionnaire."""
    if sum(one is not None for one in (questionnaire, checked, taken)) != 1:
        raise click.UsageError("写明问卷文件、--check 或 --read 之一 give one of: a questionnaire file, --check, --read")
    from .. import forms

    if checked:
        _tell_faults(forms.check_xlsform(checked))
    elif taken and forms.is_foreign(taken):
        _tell_draft(forms.draft_xlsform(taken), out)
    elif taken:
        read = forms.read_xlsform(taken)
        click.echo(f"问卷 questionnaire: {forms.write_yaml(read, out)}" if out else forms.questionnaire_yaml(read))
    elif questionnaire:
        from ..questionnaire import read_questionnaire

        read = read_questionnaire(questionnaire)
        click.echo(f"已写出 written: {forms.write_forms(read, out or Path(f'{read.questionnaire}-{read.version}-form'))}")


@click.command()
@click.option("--kind", type=click.Choice(["questionnaire", "survey", "rules"]), default="questionnaire", show_default=True)
def schema(kind: str) -> None:
    """打印 YAML 文件的 JSON Schema，供编辑器使用。 Print the JSON Schema of a YAML file, for editors."""
    import json

    from ..questionnaire import json_schema
    from ..survey import Rules, SurveyFile

    shapes = {"survey": SurveyFile.model_json_schema, "rules": Rules.model_json_schema, "questionnaire": json_schema}
    click.echo(json.dumps(shapes[kind](), ensure_ascii=False, indent=1))


@click.command()
@click.argument("folder", type=FOLDER)
@click.option("--questionnaire", help="名称@版本 name@version")
@click.option("--areas", type=FOLDER, help="地区表 table of areas")
@click.option("--like", type=FOLDER, help="沿用一期已有调查的声明 take over the declarations of an earlier survey")
@click.option(
    "--counties", default="", help="只调查这些地区：代码或名称，逗号隔开 only these areas: codes or names, commas between"
)
def new(folder: Path, questionnaire: str | None, areas: Path | None, like: Path | None, counties: str) -> None:
    """新建调查文件夹 FOLDER：声明与待填工作簿。 Write a new survey folder: declarations, and workbooks to fill in."""
    from ..newwave import new_wave

    only = [name.strip() for name in counties.replace("，", ",").split(",") if name.strip()]
    written = new_wave(folder, questionnaire=questionnaire, areas=areas, like=like, only=only, tell=click.echo)
    click.echo(
        f"已新建 written: {written}\n"
        f"1. 填写 fill in: {written / 'responses' / 'responses.xlsx'}\n"
        f"2. 补全 survey.yaml 中的来源与日期 (YYYY-MM-DD) complete sources and dates: {written / 'survey.yaml'}\n"
        f"3. satisfaction check {written}\n4. satisfaction run {written}"
    )


def _tell_draft(draft: Draft, out: Path | None) -> None:
    """Write or print the draft of a questionnaire, then what is still to be declared, each once."""
    from .. import forms

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
        click.echo(f"[{fault.rule}] {fault.sheet} row {fault.row} {fault.column}: {fault.value!r} {fault.zh} {fault.en}.{advice}")
    click.echo(f"共 {len(faults)} 处 faults: {len(faults)}")
    if len(faults):
        sys.exit(USER_FAULT)
