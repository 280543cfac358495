"""Commands: the figures of a wave, of several waves, of combined scores, and pages for readers.

Is a file set what its inputs give, what differs between two, and JupyterLab.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from satisfaction.cli.options import (
    ENGINE,
    FOLDER,
    FOLDER_ARGUMENT,
    command,
    option,
    reader,
    run_folder,
    tell,
)
from satisfaction.cli.responses import tell_delivered
from satisfaction.foundation.errors import SatisfactionError
from satisfaction.foundation.language import NOTHING, Text, _, comma_list, ngettext

if TYPE_CHECKING:
    from satisfaction.declarations.survey import Survey
    from satisfaction.pipeline import Results


@command(_("Run the survey in FOLDER; results go to FOLDER/out/."))
@FOLDER_ARGUMENT
@ENGINE
@option("--notebooks", is_flag=True, words=_("also execute the five notebooks"))
@option(
    "--handover",
    is_flag=True,
    words=_(
        "also write handover/: weighted respondent-level data and an R script; not "
        "part of the published file set"
    ),
)
def run(folder: Path, *, engine: str, notebooks: bool, handover: bool) -> None:
    """Run the survey in FOLDER; results go to FOLDER/out/."""
    from satisfaction.declarations.survey import read_survey
    from satisfaction.foundation.shipped import require_extra
    from satisfaction.pipeline import run as run_survey
    from satisfaction.publication.file_set import export_dated, revision_of

    if notebooks:
        require_extra("lab", "satisfaction run --notebooks")
    survey = read_survey(folder)
    results = run_survey(survey, engine=engine)  # type: ignore[arg-type]  # click has checked it
    earlier = _inputs_of(survey.folder / "out" / "latest")
    written = export_dated(results, handover=handover)
    _summary(results)
    tell()
    _tell_changed_inputs(survey, earlier, _inputs_of(written))
    tell(_("results: {path}", path=written))
    tell(
        _(
            "the same as {path}, revision {revision}",
            path=written.parent / "latest",
            revision=revision_of(written),
        )
    )
    if handover:
        tell(_("hand-over: {folder}", folder=written / "handover"))
        tell(_("respondent-level: for colleagues of the survey only, not for publication"))
    if notebooks:
        from satisfaction.notebook.notebooks import nothing_for, run_notebooks

        leave_out = nothing_for(results)
        for name, why in leave_out.items():
            tell(_("not executed: {notebook} ({why})", notebook=name, why=why))
        shelf = written.with_name(f"{written.name}-notebooks")
        languages = survey.declared.languages
        language = reader() if reader() in languages else languages[0]
        run_notebooks(survey, shelf, language=language, official=written, leave_out=leave_out)
        tell(_("notebooks: {shelf}", shelf=shelf))


def _inputs_of(folder: Path) -> dict[str, str]:
    """Return the inputs that a file set records; none where there is no set that can be read."""
    from satisfaction.foundation.files import read_json

    with suppress(SatisfactionError):
        return dict(read_json(folder / "manifest.json", ["inputs"])["inputs"])
    return {}


def _tell_changed_inputs(survey: Survey, earlier: dict[str, str], now: dict[str, str]) -> None:
    """Name the inputs that are not those of the run before, the questionnaire above all: a version in use stays."""
    from satisfaction.comparison.compare import STATES
    from satisfaction.publication.verify import unlike

    if not earlier:
        return
    questionnaire = survey.sources[1]
    for name, state in unlike(earlier, now).items():
        tell(_("not as in the run before: {name} {state}", name=name, state=STATES[state]))
        if os.path.realpath(survey.folder / name) == os.path.realpath(questionnaire):
            tell(
                _(
                    "  A version of a questionnaire that has been in use is not changed: write a "
                    "new version, and say what changed."
                )
            )


@command(_("Compare two waves: how certain changes of scores and ranks are."))
@click.argument("old", type=FOLDER)
@click.argument("new", type=FOLDER)
@option(
    "--measure",
    default=None,
    words=_("one score alone; default: every ranking that the waves share"),
)
@ENGINE
def change(old: Path, *, new: Path, measure: str | None, engine: str) -> None:
    """Compare two waves: how certain changes of scores and ranks are."""
    from satisfaction.comparison.changes import run_change
    from satisfaction.comparison.wave_files import export_change
    from satisfaction.comparison.words import change_lines

    found = run_change(old, new, measure=measure, engine=engine)  # type: ignore[arg-type]  # click has checked it
    written = export_change(found)
    _tell(change_lines(found), written)


@command(_("Average index over waves, oldest first, and the ranking on it."))
@click.argument("folders", type=FOLDER, nargs=-1, required=True)
@option("--last", type=int, default=None, words=_("only the last waves"))
@option(
    "--measure",
    default=None,
    words=_("one score alone; default: every ranking that the waves share"),
)
@ENGINE
def rolling(
    folders: tuple[Path, ...], *, last: int | None, measure: str | None, engine: str
) -> None:
    """Average index over waves, oldest first, and the ranking on it."""
    from satisfaction.comparison.changes import run_rolling
    from satisfaction.comparison.wave_files import export_rolling
    from satisfaction.comparison.words import rolling_lines

    found = run_rolling(folders, last=last, measure=measure, engine=engine)  # type: ignore[arg-type]  # click has checked it
    written = export_rolling(found)
    _tell(rolling_lines(found), written)


@command(
    _("A trial of one's own beside the official survey, or beside a file set that it published.")
)
@click.argument("official", type=FOLDER)
@click.argument("trial", type=FOLDER)
@ENGINE
def trial(official: Path, trial: Path, engine: str) -> None:
    """A trial of one's own beside the official survey, or beside a file set that it published."""
    from satisfaction.comparison.trial import run_trial
    from satisfaction.comparison.wave_files import export_trial
    from satisfaction.comparison.words import trial_lines

    found = run_trial(official, trial, engine=engine)  # type: ignore[arg-type]  # click has checked it
    written = export_trial(found)
    _tell(trial_lines(found), written)


def _tell(lines: Iterable[object], written: Path) -> None:
    """Print lines, and where the results lie."""
    for line in lines:
        tell(line)
    tell()
    tell(_("results: {path}", path=written))


def _summary(results: Results) -> None:
    """Print the lines that matter: the account of rows, the whole's figures, the list and what it is worth."""
    from satisfaction.collection.account import account_line
    from satisfaction.declarations.earlier import earlier_notes
    from satisfaction.declarations.survey import what_is_tested
    from satisfaction.foundation.figures import unit_of
    from satisfaction.pipeline import replicates_note, trimming_notes
    from satisfaction.publication.labels import area_labels, score_labels, whole_code
    from satisfaction.publication.manifest import adoption_notes
    from satisfaction.publication.report.method import ABSENT_STEPS
    from satisfaction.weighting.wave_design import lonely_note, population_notes

    survey = results.survey
    counts = results.responses.summary[["rows", "accepted", "rejected", "blanked"]].sum()
    whole = results.whole.table.set_index("measure")
    labels = survey.questionnaire.rates | survey.questionnaire.indices
    names = area_labels(survey)
    _tell_title(survey)
    tell_delivered(survey, results.responses)
    tell(account_line(counts))
    if note := lonely_note(survey, results.design):
        tell(note)
    for one in results.responses.unknown.itertuples():
        where = " ".join(filter(None, (one.file, one.sheet)))
        unknown = _(
            "unknown answer: {where} {title} “{word}” × {count}",
            where=where,
            title=one.title,
            word=one.word,
            count=one.count,
        )
        if one.near:
            unknown = _("{answer} (nearest: {near})", answer=unknown, near=one.near)
        tell(unknown)
    for note in earlier_notes(survey):
        tell(note)
    if tests := what_is_tested(survey):
        tell(tests)
    if results.absent:
        absent_steps = [ABSENT_STEPS[step] for step in results.absent]
        tell(_("not declared: {absent}", absent=comma_list(absent_steps)))
    populations = population_notes(survey, results.responses.accepted)
    for note in (*populations, *adoption_notes(results), *trimming_notes(results)):
        tell(_("note: {note}", note=note))
    proven = survey.declared.selection == "probability"
    if proven and replicates_note(results):
        tell(_("note: {note}", note=replicates_note(results)))
    tell(_("{area}:", area=names[whole_code(survey)]))
    for name, label in labels.items():
        row = whole.loc[name]
        unit = unit_of("rate" if name in survey.questionnaire.rates else "index")
        interval = unit.limits(row.ci_low, row.ci_high) if proven else ""
        tell(
            _(
                "  {measure}: {estimate}{interval}",
                measure=label,
                estimate=unit.level(row.estimate),
                interval=interval,
            )
        )
    if results.further:
        tell()
        tell(score_labels(survey)[survey.ranked][1])
    _tell_ranking(results)
    _tell_selection(results)
    for other in results.further.values():
        if _said_already(other, results):
            continue
        tell()
        tell(score_labels(other.survey)[other.survey.ranked][1])
        _tell_ranking(other)


def _tell_title(survey: Survey) -> None:
    """Print what the survey is called, and what must be said of its sample."""
    tell(survey.declared.title)
    if survey.marks:
        tell(_("*** {mark} ***", mark=survey.marks))


def _said_already(other: Results, results: Results) -> bool:
    """Whether neither ranking has anything to rank, for a reason that was given for the first one."""
    if other.ranking.ranks_any or results.ranking.ranks_any:
        return False
    return set(other.ranking.summary.notes) <= set(results.ranking.summary.notes)


def _tell_ranking(results: Results) -> None:
    """Print the list of a ranking and what it is worth."""
    from satisfaction.foundation.figures import confidence, probability, rank_set_in_words, unit_of
    from satisfaction.publication.labels import STATUS, area_labels, score_labels
    from satisfaction.publication.ranking_table import (
        ladder_table,
        list_title,
        tied_line,
        why_not_ranked,
    )

    names = area_labels(results.survey)
    kind, _title = score_labels(results.survey)[results.survey.ranked]
    figure = unit_of(kind)
    ranking = results.ranking
    table = ranking.table.set_index("unit")
    summary = ranking.summary
    if not ranking.ranks_any:
        for note in summary.notes:
            tell(note)
        return
    tell(list_title(summary))
    if summary.proven:
        level = confidence(summary.level)
        tell(_("rank set: for one named unit, at {level} confidence", level=level))
    for unit in sorted(summary.filed, key=lambda code: table.loc[code, "rank"]):
        row = table.loc[unit]
        certainty = NOTHING
        if summary.proven:
            certainty = _(
                "  {rank_set}  P(on the list) {probability}  {status}",
                rank_set=rank_set_in_words(row),
                probability=probability(row.probability_bottom),
                status=STATUS[row.get("list_status", row.status)],
            )
        tell(
            _(
                "  {rank:>3} {code} {name}  {estimate}{certainty}",
                rank=f"{row['rank']:g}",
                code=unit,
                name=names[unit],
                estimate=figure.level(row.estimate),
                certainty=certainty,
            )
        )
    if tied := tied_line(ranking, names):
        tell(tied)
    unranked: dict[Text, list[Text]] = {}
    for unit, why in why_not_ranked(ranking).items():
        unranked.setdefault(why, []).append(names[unit])
    for why, areas in unranked.items():
        tell(_("  {why}: {areas}", why=why, areas=comma_list(areas)))
    for note in summary.notes:
        tell(note)
    ladder = ladder_table(results.survey, results.estimates, results.ranking)
    in_force = ladder[ladder["in_force"] == "yes"]
    for _number, rows in in_force.groupby("step_number"):
        first = rows.iloc[0]
        established = int((rows["status"] == "established").sum())
        line = ngettext(
            "{step}: {n} area, established by the data {established}",
            "{step}: {n} areas, established by the data {established}",
            len(rows),
            step=Text(first["step_zh"], first["step_en"]),
            established=established,
        )
        tell(line)


def _tell_selection(results: Results) -> None:
    """Print what would have to hold of those who did not answer, where respondents were not drawn."""
    from satisfaction.declarations.survey import population_note
    from satisfaction.publication.selection_tables import (
        CAUTION,
        near_the_cut,
        reference_note,
        selection_tables,
    )

    selection = selection_tables(results.survey, results.selection_study)
    if len(selection.odds):
        for sentence in near_the_cut(selection.odds):
            tell(sentence)
    if len(selection.model):
        study = results.selection_study
        tell(population_note(results.survey))
        if study is not None and study.reference is not None:
            tell(reference_note(study.reference))
        tell(_("selection_model.csv: {caution}", caution=CAUTION))


@command(_("The ranking by the combined score alone, in a set of its own."))
@FOLDER_ARGUMENT
@option("--declared", type=FOLDER, words=_("default: FOLDER/combined.yaml"))
@ENGINE
def combined(folder: Path, declared: Path | None, engine: str) -> None:
    """The ranking by the combined score alone, in a set of its own."""
    from satisfaction.comparison.combined import combine, export_combined
    from satisfaction.publication.tables import formula_lines

    results = run_folder(folder, engine)
    found = combine(results, declared or folder / "combined.yaml")
    written = export_combined(found)
    _tell_title(found.survey)
    for line in formula_lines(found):
        tell(line)
    _tell_ranking(found)
    _tell([], written)


@command(_("Score assessments by points: every level, department, class, ledger; and draw."))
@FOLDER_ARGUMENT
@option("--declared", type=FOLDER, words=_("default: FOLDER/combined.yaml"))
@option("--seed", type=int, default=1, show_default=True, words=_("random seed"))
@ENGINE
def assessment(folder: Path, *, declared: Path | None, seed: int, engine: str) -> None:
    """Score assessments by points: every level, department, class, ledger; and draw."""
    from satisfaction.comparison.assessments import (
        assessment_lines,
        assessments_of,
        export_assessments,
    )

    results = run_folder(folder, engine)
    found = assessments_of(results, declared or folder / "combined.yaml", seed=seed)
    written = export_assessments(found)
    _tell(assessment_lines(found), written)


@command(_("How ranks move under other weights, scales, aggregations and denominators."))
@FOLDER_ARGUMENT
@option(
    "--measure",
    words=_(
        "an index or combined alone; default: the index that is ranked, and the combined score"
    ),
)
@option(
    "--weight-noise",
    type=float,
    default=0.25,
    show_default=True,
    words=_("share by which weights vary"),
)
@option("--seed", type=int, default=1, show_default=True, words=_("random seed"))
@ENGINE
def stability(
    folder: Path, *, measure: str | None, weight_noise: float, seed: int, engine: str
) -> None:
    """How ranks move under other weights, scales, aggregations and denominators."""
    from satisfaction.comparison.stability_files import (
        export_stability,
        stability_lines,
        study_stability,
    )
    from satisfaction.ranking.rank import require_ranks

    results = run_folder(folder, engine)
    require_ranks(results.ranking, where=str(folder))
    options = {"measure": measure, "weight_noise": weight_noise, "seed": seed}
    studied = study_stability(results, measure=measure, weight_noise=weight_noise, seed=seed)
    written = export_stability(studied, options)
    _tell(stability_lines(studied), written)


@command(_("The report and one page an area, in the survey's languages."))
@FOLDER_ARGUMENT
@option("--pdf", is_flag=True, words=_("print PDF"))
@option("--out", type=FOLDER, words=_("a new folder"))
@ENGINE
def report(folder: Path, *, pdf: bool, out: Path | None, engine: str) -> None:
    """The report and one page an area, in the survey's languages."""
    from satisfaction.publication.report import write_report

    results = run_folder(folder, engine)
    written = write_report(results, pdf=pdf, folder=out)
    tell(_("pages: {path}", path=written / "index.html"))


DIFFERENT = 1


@command(
    _("Recompute a file set from its inputs and compare."),
    codes={
        "0": _("identical"),
        "10": _("a file was changed by hand"),
        "11": _("inputs changed"),
        "12": _("another program version"),
        "13": _("differs without a known cause"),
    },
)
@FOLDER_ARGUMENT
@option("--survey", type=FOLDER, default=None, words=_("default: the one recorded in the set"))
@option(
    "--handed-over",
    "mark",
    is_flag=True,
    words=_(
        "where it is identical, mark it as handed over; later waves read their history from it"
    ),
)
def verify(folder: Path, survey: Path | None, mark: bool) -> None:
    """Recompute a file set from its inputs and compare."""
    from satisfaction.comparison.again import verify_any
    from satisfaction.comparison.compare import verification_lines
    from satisfaction.foundation.file_sets import mark_handed_over

    found = verify_any(folder, survey=survey)
    for line in verification_lines(found):
        tell(line)
    if found.code:
        if mark:
            tell(_("not marked as handed over"))
        sys.exit(found.code)
    if mark:
        marked = mark_handed_over(folder)
        line = _(
            "marked as handed over on {date}: {name}, revision {revision}",
            date=marked.date,
            name=marked.folder.name,
            revision=marked.revision,
        )
        tell(line)


@command(
    _("Which figures changed between two file sets, and why."),
    codes={
        "0": _("the same estimates and ranks"),
        "1": _("some differ"),
        "2": _("cannot be compared"),
    },
)
@click.argument("old", type=FOLDER)
@click.argument("new", type=FOLDER)
@option(
    "--out",
    type=FOLDER,
    default=None,
    words=_("also write a new folder that `verify` can recompute"),
)
def compare(old: Path, new: Path, out: Path | None) -> None:
    """Which figures changed between two file sets, and why."""
    from satisfaction.comparison.compare import compare as compare_sets
    from satisfaction.comparison.compare import comparison_lines, export_comparison
    from satisfaction.foundation.files import refuse_existing

    if out is not None:
        refuse_existing(out)
    found = compare_sets(old, new)
    for line in comparison_lines(found):
        tell(line)
    if out is not None:
        tell(_("written: {path}", path=export_comparison(found, out)))
    if not found.nothing:
        sys.exit(DIFFERENT)


@command(_("Open the project in JupyterLab: choose a wave, run it."))
@click.argument("folder", type=FOLDER, default=Path())
@option("--no-browser", is_flag=True, words=_("only print the address"))
def lab(folder: Path, no_browser: bool) -> None:
    """Open the project in JupyterLab: choose a wave, run it."""
    from satisfaction.notebook.server import serve

    # as Ctrl+C does: the server and its temporary folder go with the command
    for name in ("SIGTERM", "SIGHUP"):  # the second where there are terminals that hang up
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda number, _frame: sys.exit(128 + number))
    if code := serve(folder, language=reader(), browser=not no_browser, tell=tell):
        sys.exit(code)
