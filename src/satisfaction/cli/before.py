"""Commands: before the field: questionnaires and forms, new survey folders, plans, samples, simulated waves."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from satisfaction.cli.options import (
    ENGINE,
    FOLDER,
    FOLDER_ARGUMENT,
    USER_FAULT,
    command,
    misused,
    names_in,
    option,
    reader,
    run_folder,
    tell,
)
from satisfaction.foundation.language import Text, _, ngettext, use

if TYPE_CHECKING:
    import pandas as pd


@command(_("Write an example project: questionnaire, a simulated wave, tables, notebooks."))
@FOLDER_ARGUMENT
def init(folder: Path) -> None:
    """Write an example project: questionnaire, a simulated wave, tables, notebooks."""
    from satisfaction.planning.example import write_example

    project = write_example(folder, language=reader())
    tell(_("example project: {path}", path=project.folder))
    tell(f"1. satisfaction check {project.survey}")
    tell(f"2. satisfaction run {project.survey}")
    tell(f"3. satisfaction report {project.survey}")
    tell(f"4. satisfaction lab {project.folder}")


@command(_("Write XLSForm, codebook and a page to print from a questionnaire."))
@click.argument("questionnaire", type=FOLDER, required=False)
@option("--check", "checked", type=FOLDER, words=_("check an XLSForm workbook"))
@option("--read", "taken", type=FOLDER, words=_("read an XLSForm back as YAML"))
@option("--out", type=FOLDER, words=_("a new folder; with --read a YAML file"))
def form(
    questionnaire: Path | None, *, checked: Path | None, taken: Path | None, out: Path | None
) -> None:
    """Write XLSForm, codebook and a page to print from a questionnaire."""
    if sum(one is not None for one in (questionnaire, checked, taken)) != 1:
        raise misused(_("give one of: a questionnaire file, --check, --read"))
    from satisfaction.collection import forms

    if checked:
        _tell_faults(forms.check_xlsform(checked))
    elif taken:
        read = forms.read_xlsform(taken)
        if out:
            tell(_("questionnaire: {path}", path=forms.write_yaml(read, out)))
        else:
            tell(forms.questionnaire_yaml(read))
    elif questionnaire:
        from satisfaction.declarations.questionnaire import read_questionnaire

        read = read_questionnaire(questionnaire)
        folder = out or Path(f"{read.questionnaire}-{read.version}-form")
        tell(_("written: {path}", path=forms.write_forms(read, folder)))


@command(_("Print the JSON Schema of a YAML file, for editors."))
@option(
    "--kind",
    type=click.Choice(["questionnaire", "survey", "rules"]),
    default="questionnaire",
    show_default=True,
    words=_("which file the schema is of"),
)
def schema(kind: str) -> None:
    """Print the JSON Schema of a YAML file, for editors."""
    import json

    from satisfaction.declarations.questionnaire import json_schema
    from satisfaction.declarations.rules import Rules
    from satisfaction.declarations.wave import SurveyFile
    from satisfaction.foundation.yaml import schema_of

    with use(reader()):
        if kind == "survey":
            shape = schema_of(SurveyFile)
        elif kind == "rules":
            shape = schema_of(Rules)
        else:
            shape = json_schema()
    tell(json.dumps(shape, ensure_ascii=False, indent=1))


@command(_("Write a new survey folder: declarations, and workbooks to fill in."))
@FOLDER_ARGUMENT
@option("--questionnaire", words=_("name@version"))
@option("--areas", type=FOLDER, words=_("table of areas"))
@option("--like", type=FOLDER, words=_("take over the declarations of an earlier survey"))
@option("--counties", default="", words=_("only these areas: codes or names, commas between"))
def new(
    folder: Path, *, questionnaire: str | None, areas: Path | None, like: Path | None, counties: str
) -> None:
    """Write a new survey folder: declarations, and workbooks to fill in."""
    from satisfaction.declarations.new_wave import new_wave

    with use(reader()):
        written = new_wave(
            folder,
            questionnaire=questionnaire,
            areas=areas,
            like=like,
            only=names_in(counties),
            tell=tell,
        )
    tell(_("written: {path}", path=written))
    tell(_("1. Fill in {path}", path=written / "responses" / "responses.xlsx"))
    tell(_("2. Complete sources and dates (YYYY-MM-DD) in {path}", path=written / "survey.yaml"))
    tell(f"3. satisfaction check {written}")
    tell(f"4. satisfaction run {written}")


def _tell_faults(faults: pd.DataFrame) -> None:
    """Print the faults of a form, one a line; any fault makes the exit code non-zero."""
    for fault in faults.itertuples(index=False):
        what = Text(fault.zh, fault.en)
        if fault.suggestion:
            what = _("{fault}; use {suggestion}", fault=what, suggestion=fault.suggestion)
        place = Text(fault.sheet)
        if fault.row:
            place = _(
                "{sheet} row {row} {column}", sheet=fault.sheet, row=fault.row, column=fault.column
            )
        if fault.value:
            place = _("{place}: {value!r}", place=place, value=fault.value)
        tell(_("[{rule}] {place}: {fault}", rule=fault.rule, place=place, fault=what))
    tell(_("faults: {n}", n=len(faults)))
    if len(faults):
        sys.exit(USER_FAULT)


@command(_("Draw PSUs with probabilities proportional to size from the table FRAME."))
@click.argument("frame", type=FOLDER)
@option("--out", type=FOLDER, required=True, words=_("a new folder"))
@option("--psu", default="community", show_default=True, words=_("column of PSU codes"))
@option("--size", default="adults", show_default=True, words=_("column of sizes"))
@option("--strata", default="county,residence", show_default=True, words=_("columns of strata"))
@option("--take", type=click.IntRange(min=1), words=_("PSUs a stratum and wave"))
@option("--take-from", type=FOLDER, words=_("a table of numbers by stratum (column take)"))
@option(
    "--persons",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    words=_("interviews a PSU"),
)
@option(
    "--method",
    type=click.Choice(["systematic", "brewer", "sampford"]),
    default="systematic",
    show_default=True,
    words=_("how units are drawn in proportion to size"),
)
@option("--waves", type=int, default=1, show_default=True, words=_("waves drawn together"))
@option(
    "--overlap", type=float, default=0.0, show_default=True, words=_("share the next wave keeps")
)
@option("--reserve", type=int, default=0, show_default=True, words=_("reserves a stratum"))
@option("--seed", type=click.IntRange(min=0), required=True, words=_("random seed: keep it"))
@option("--simulated", is_flag=True, words=_("the frame is simulated"))
def draw(
    frame: Path, *, out: Path, psu: str, size: str, strata: str, take: int | None, take_from: Path | None, persons: int, method: str,
    waves: int, overlap: float, reserve: int, seed: int, simulated: bool,
) -> None:  # fmt: skip
    """Draw PSUs with probabilities proportional to size from the table FRAME."""
    import pandas as pd

    from satisfaction.foundation.files import recorded
    from satisfaction.foundation.tables import read_filled_in
    from satisfaction.planning.draw import check_frame_table, draw_sample
    from satisfaction.planning.planning_files import read_take, write_draw

    if (take is None) == (take_from is None):
        raise misused(_("give one of --take and --take-from"))
    columns = names_in(strata)
    with recorded() as read:
        table = read_filled_in(frame)
    check_frame_table(table, psu=psu, strata=columns, size=size)
    table[size] = pd.to_numeric(table[size])
    wanted = take if take_from is None else read_take(take_from, columns)
    drawn = draw_sample(
        table, psu=psu, strata=columns, size=size, take=wanted, method=method, waves=waves,  # type: ignore[arg-type]  # click has checked them
        overlap=overlap, reserve=reserve, seed=seed,
    )  # fmt: skip
    mark = _("simulated frame, not a real one").both if simulated else ""
    written = write_draw(
        drawn, out, psu=psu, size=size, persons=persons, frame=read, simulated=mark
    )
    first = drawn.wave(1)
    if mark:
        tell(mark)
    tell(
        _(
            "drawn: {psus} PSUs, {strata} strata, {interviews} interviews",
            psus=len(first),
            strata=len(drawn.summary),
            interviews=len(first) * persons,
        )
    )
    tell(_("sample: {path}", path=written / "sample.csv"))
    tell(_("waves and reserves: {path}", path=written / "panel.csv"))
    tell(_("sheets for households and persons: {path}", path=written / "sheets.html"))


@command(_("Take a later wave's sample from the panel of a draw."), name="next-sample")
@click.argument("panel", type=FOLDER)
@option("--wave", type=int, required=True, words=_("which wave"))
@option("--out", type=FOLDER, required=True, words=_("a new table"))
def next_sample(panel: Path, wave: int, out: Path) -> None:
    """Take a later wave's sample from the panel of a draw."""
    from satisfaction.foundation.files import check_new_file
    from satisfaction.planning.planning_files import next_sample as taken
    from satisfaction.planning.planning_files import write_sample

    check_new_file(out, (".csv",), argument="--out")
    table = taken(panel, wave=wave)
    path = write_sample(table, out)
    tell(ngettext("sample: {path}, {n} PSU", "sample: {path}, {n} PSUs", len(table), path=path))


@command(
    _(
        "Plan size and allocation of the next wave from the wave in FOLDER.\n\n"
        "For instance: satisfaction plan surveys/guizhou-2026q3 --interval 2 --establish 0.5\n\n"
        "Without a wish only ways of dividing are compared."
    )
)
@FOLDER_ARGUMENT
@option("--per-psu", type=int, default=10, show_default=True, words=_("interviews a PSU"))
@option("--budget", type=int, words=_("PSUs to divide; default: this wave's"))
@option("--interval", type=float, words=_("half width of an interval"))
@option("--difference", type=float, words=_("a difference to be found"))
@option("--change", type=float, words=_("a change to be found"))
@option("--reliability", type=float, words=_("reliability, 0-1"))
@option("--establish", type=float, words=_("share of the truly last ones to be established, 0-1"))
@option("--within", multiple=True, metavar="MEASURE@LEVEL=HALF_WIDTH", words=_("repeatable: half widths kept together, such as awareness@province=0.01"))  # fmt: skip
@option(
    "--power",
    type=float,
    default=0.8,
    show_default=True,
    words=_("probability with which a difference or change is found"),
)
@option(
    "--overlap", type=float, default=0.25, show_default=True, words=_("share of PSUs in both waves")
)
@ENGINE
def plan(
    folder: Path, *, per_psu: int, budget: int | None, interval: float | None, difference: float | None, change: float | None,
    reliability: float | None, establish: float | None, within: tuple[str, ...], power: float, overlap: float, engine: str,
) -> None:  # fmt: skip
    """Plan size and allocation of the next wave from the wave in FOLDER."""
    from satisfaction.planning.allocation import read_limit
    from satisfaction.planning.plan import Wishes, make_plan
    from satisfaction.planning.planning_files import write_plan

    results = run_folder(folder, engine)
    limits = tuple(read_limit(text, results) for text in within)
    wishes = Wishes(
        interval, difference, change, reliability, establish, power, overlap, limits=limits
    )
    planned = make_plan(results, wishes, per_psu=per_psu, budget=budget)
    for line in planned.lines:
        tell(line)
    tell()
    tell(_("results: {path}", path=write_plan(results, planned)))


@command(_("Rehearse the wave in FOLDER: simulated answers to its questionnaire, with the truth."))
@FOLDER_ARGUMENT
@option("--seed", type=int, default=None, words=_("default: the seed in survey.yaml"))
def simulate(folder: Path, *, seed: int | None) -> None:
    """Rehearse the wave in FOLDER: simulated answers to its questionnaire, with the truth."""
    from satisfaction.planning.rehearsal import simulate_survey

    simulate_survey(folder, seed=seed)
    tell(_("simulated data written: {path}", path=folder))
