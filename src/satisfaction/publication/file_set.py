"""The file set of a run, for the ranking office and everybody else: a new folder, written in one step.

Nothing is overwritten, and no clock stands in the hashed files. The notebooks write their tables by the same functions.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from satisfaction.collection.corrections import write_rejected
from satisfaction.collection.responses import Responses
from satisfaction.declarations.survey import Survey
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.engines import write_parquet
from satisfaction.foundation.errors import DamagedSetError, ExportError, SatisfactionError
from satisfaction.foundation.file_sets import sets_of
from satisfaction.foundation.files import (
    DatedFolder,
    dated_folder,
    new_folder,
    point_latest,
    read_json,
    say_beside,
    sha256,
)
from satisfaction.foundation.language import _, comma_list, use
from satisfaction.foundation.pages import page_name
from satisfaction.foundation.tables import (
    write_checksums,
    write_csv,
    write_json,
    write_text,
)
from satisfaction.pipeline import Results
from satisfaction.publication.assessment import assessment_tables
from satisfaction.publication.columns import with_chinese_headings
from satisfaction.publication.handover import hand_over_results
from satisfaction.publication.labels import area_labels, mark, twelve_digits
from satisfaction.publication.manifest import (
    beside_folder,
    confirm_page,
    datapackage,
    inputs,
    manifest,
    plain,
    readme,
)
from satisfaction.publication.ranking_table import unranked_note
from satisfaction.publication.ranking_workbook import (
    write_assessment_workbook,
    write_indicators_workbook,
    write_indices_workbook,
    write_ranking_workbook,
    write_selection_workbook,
)
from satisfaction.publication.tables import Tables, combined_files, spoken, tables_of, topics_table
from satisfaction.ranking.rank import Ranking


@use(None)
def write_responses(survey: Survey, responses: Responses, folder: Path) -> None:
    """Write rejected.csv (one row a rejected row), log.csv (one row an event) and rejected.xlsx for the team to correct (one a language)."""

    def write(path: Path) -> None:
        """Write the workbook in the current language."""
        marks = str(survey.marks or "")
        write_rejected(responses, survey.questionnaire, path, mark=marks)

    _write_each(survey, folder / "rejected.xlsx", write)
    write_csv(responses.rejected.assign(mark=mark(survey)), folder / "rejected.csv")
    write_csv(responses.log.assign(mark=mark(survey)), folder / "log.csv")


def _write_each(survey: Survey, path: Path, write: Callable[[Path], None]) -> None:
    """Write a file once in each of the survey's languages, under the name that it has in that one."""
    languages = survey.declared.languages
    for language in languages:
        with use(language):
            write(path.with_name(page_name(path.name, language, languages)))


@use(None)
def _write_indices(survey: Survey, table: pd.DataFrame, folder: Path) -> None:
    """Write indices.csv, indices_zh.csv (Chinese headings), indices.xlsx (one a language) and indices.parquet."""
    _write_both(table, folder / "indices.csv")
    _write_each(survey, folder / "indices.xlsx", partial(write_indices_workbook, table))
    write_parquet(table, folder / "indices.parquet")


@use(None)
def _write_ranking(
    results: Results, published: Tables, folder: Path, *, prefix: str = ""
) -> dict[str, pd.DataFrame]:
    """Write the ranking and what follows from it; tables that nothing is declared for are left out.

    The names of the files of another ranking of the wave begin with `prefix`. Returns the tables by these names.

    ranking.csv, ranking_zh.csv (Chinese headings), ranking.xlsx, ranking.parquet and covariance.csv; ranking_sentences.csv
    (what may be said of every area), ranking_within.csv (within larger areas), ranking_targets.csv, ranking_thresholds.csv,
    ranking_escalation.csv, ranking_ladder.csv and ranking_waves.csv (ranks over the waves), ranking_within_waves.csv (those of larger areas); reading.html, one page for readers
    without statistics. Of a wave whose respondents were not drawn: selection_model.csv (with a declared model),
    selection_sensitivity.csv, selection_odds.csv and selection.xlsx.
    Where nothing is ranked, ranking.csv says so of every area (`status`), and there is no reading.html. Without a probability
    sample there is no covariance and there are no sets to read: neither file is written.
    """
    survey = results.survey
    ranking = results.ranking
    kind, measure = spoken(survey)
    _write_both(published.ranking, folder / f"{prefix}ranking.csv")

    def write(path: Path) -> None:
        """Write the workbook in the current language."""
        notes = _notes(survey, published, ranking)
        share = kind == "rate"
        write_ranking_workbook(published.ranking, notes, path, measure=measure, share=share)

    _write_each(survey, folder / f"{prefix}ranking.xlsx", write)
    if published.selection.anything and not prefix:
        write_selection = partial(write_selection_workbook, published.selection)
        _write_each(survey, folder / "selection.xlsx", write_selection)
    write_parquet(published.ranking, folder / f"{prefix}ranking.parquet")
    tables = {f"{prefix}ranking": published.ranking}
    for name, table in further_tables(survey, published, results.estimates).items():
        tables[f"{prefix}{name}"] = table
        write_csv(table, folder / f"{prefix}{name}.csv")
    if prefix or not ranking.ranks_any or ranking.summary["selection"] != "probability":
        return tables
    # brings matplotlib, which `import satisfaction` should not
    from satisfaction.publication.report.reading import render_reading

    languages = survey.declared.languages
    for language in languages:
        page = render_reading(published.ground, language=language, languages=languages)
        write_text(page, folder / page_name("reading.html", language, languages))
    return tables


def _notes(survey: Survey, published: Tables, ranking: Ranking) -> list[str]:
    """Return what must be said of a ranking, in the current language."""
    without_rank = unranked_note(ranking, area_labels(survey))
    notes = (survey.marks, *ranking.summary["notes"], without_rank, published.statement)
    return [str(note) for note in notes if note]


def further_tables(
    survey: Survey, published: Tables, estimates: dict[str, Estimates]
) -> dict[str, pd.DataFrame]:
    """Return the tables beside indices and ranking that have rows, by file name."""
    tables = {
        "covariance": covariance_table(survey, estimates),
        "ranking_sentences": published.sentences.assign(mark=mark(survey)),
        "ranking_within": published.within,
        "ranking_targets": published.targets,
        "ranking_thresholds": published.thresholds,
        "ranking_escalation": published.escalation,
        "ranking_ladder": published.ladder,
        "ranking_waves": published.paths,
        "ranking_within_waves": published.within_paths,
        "selection_model": published.selection.model,
        "selection_sensitivity": published.selection.sensitivity,
        "selection_odds": published.selection.odds,
    }
    return {name: table for name, table in tables.items() if len(table)}


def covariance_table(survey: Survey, estimates: dict[str, Estimates]) -> pd.DataFrame:
    """Return the sampling covariance of the ranked measure between areas: entries that are neither zero nor withheld."""
    ranked = estimates[survey.ranked_level].of(survey.ranked)
    domain = ranked.by[0]
    codes = ranked.table[domain].astype(str).to_numpy()
    known = np.nan_to_num(ranked.cov)
    row, column = np.nonzero(np.triu(known))
    table = {
        "code": codes[row],
        "other_code": codes[column],
        "covariance": ranked.cov[row, column],
        "measure": survey.ranked,
        "mark": mark(survey),
    }
    return twelve_digits(pd.DataFrame(table))


def _write_both(table: pd.DataFrame, path: Path) -> None:
    """Write a table under its own column names, and beside it under the Chinese ones."""
    write_csv(table, path)
    write_csv(with_chinese_headings(table), path.with_stem(f"{path.stem}_zh"))


def export(
    results: Results, folder: str | Path, *, handover: bool = False, revision: int = 1
) -> Path:
    """Write the whole file set into a folder that does not exist yet.

    Results that are not what the survey's folder gives (another weighting, a changed declaration, a part put in by hand) are
    marked as a trial in every row, page and picture; manifest.json names what differs.

    Parameters
    ----------
    results : Results
    folder : path
        Made in one step when everything is written.
    handover : bool
        Also write the folder handover/ in it, for colleagues who continue in R. It is respondent-level and no part of the
        ranking office's file set, so run.json does not list it.
    revision : int
        Stands in run.json, manifest.json, datapackage.json and on the page that people sign.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ExportError
        X101 when the folder exists: nothing is ever overwritten.

    Examples
    --------
    >>> results = sat.run(sat.read_survey("surveys/wave"))
    >>> folder = sat.export(results, "published")
    >>> (folder / "ranking.csv").is_file()
    True
    """
    folder = Path(folder)
    results = beside_folder(results)
    with new_folder(folder) as scratch:
        _write_set(results, scratch, folder, handover=handover, revision=revision)
    return folder


@use(None)
def write_assessment(results: Results, folder: Path) -> dict[str, pd.DataFrame]:
    """Write tests.csv and reliability.csv, each also as a workbook (one a language); returns the tables."""
    tables = assessment_tables(results)
    survey = results.survey
    items = {name: item.text for name, item in survey.questionnaire.items.items()}
    names = items | area_labels(survey)
    rates = survey.questionnaire.rates
    for name, table in tables.items():
        write_csv(table, folder / f"{name}.csv")
        write = partial(write_assessment_workbook, table, names=names, rates=rates)
        _write_each(survey, folder / f"{name}.xlsx", write)
    return tables


def export_part(
    results: Results,
    folder: str | Path,
    part: Literal["responses", "tests", "indices", "ranking"],
) -> None:
    """Write one part of the file set into a folder, as a notebook does; the same bytes as in the whole set.

    Results that are not what the survey's folder gives are marked as a trial in every row, page and picture.

    Parameters
    ----------
    results : Results
    folder : path
        An existing folder.
    part : {"responses", "tests", "indices", "ranking"}
    """
    results = beside_folder(results)
    survey = results.survey
    folder = Path(folder)
    if part == "responses":
        write_responses(survey, results.responses, folder)
        return
    if part == "tests":
        write_assessment(results, folder)
        return
    published = tables_of(results)
    if part == "indices":
        _write_indices(survey, published.indices, folder)
        _write_indicators(results, folder)
    else:
        _write_ranking(results, published, folder)
        write_rankings(results.further, folder)
        _write_combined(results, folder)


@use(None)
def _write_set(
    results: Results, scratch: Path, folder: Path, *, handover: bool, revision: int
) -> None:
    """Write the file set of results that know where they depart from the survey's folder."""
    from satisfaction.publication.report import render  # brings matplotlib

    write_responses(results.survey, results.responses, scratch)
    published = tables_of(results)
    languages = results.survey.declared.languages
    _write_indices(results.survey, published.indices, scratch)
    tables = {"indices": published.indices}
    tables |= _write_ranking(results, published, scratch)
    tables |= write_rankings(results.further, scratch)
    tables |= _write_combined(results, scratch)
    tables |= _write_indicators(results, scratch)
    for language in languages:
        page = render(results, published, language)
        write_text(page, scratch / page_name("report.html", language, languages))
    write_json(plain(manifest(results, revision=revision)), scratch / "manifest.json")
    tables |= write_assessment(results, scratch)
    write_json(
        datapackage(results, tables, scratch, revision=revision), scratch / "datapackage.json"
    )
    for language in languages:
        with use(language):
            text = readme(results, tables, revision=revision)
        write_text(text, scratch / page_name("README.txt", language, languages))
        page = confirm_page(results, scratch, revision=revision, language=language)
        write_text(page, scratch / page_name("confirm.html", language, languages))
    run = {
        "mark": mark(results.survey),
        "revision": revision,
        "finished": _now().isoformat(timespec="seconds"),
        "outputs": {path.name: sha256(path) for path in sorted(scratch.iterdir())},
        "survey_folder": _way(results.survey.folder, folder),
    }
    write_json(run, scratch / "run.json")
    write_checksums(scratch)
    if handover:
        hand_over_results(results, scratch / "handover")


def _write_indicators(results: Results, folder: Path) -> dict[str, pd.DataFrame]:
    """Write topics beside the whole, where there are topics and an overall rate; return the table by its name."""
    topics = topics_table(results)
    if topics is None:
        return {}
    write = partial(write_indicators_workbook, topics)
    _write_each(results.survey, folder / "indicators.xlsx", write)
    write_csv(topics, folder / "indicators.csv")
    return {"indicators": topics}


def _write_combined(results: Results, folder: Path) -> dict[str, pd.DataFrame]:
    """Write the tables of the combined score; return them by the names of their files."""
    tables = combined_files(results)
    for name, table in tables.items():
        write_csv(table, folder / f"{name}.csv")
    return tables


@use(None)
def write_rankings(results: Mapping[str, Results], folder: Path) -> dict[str, pd.DataFrame]:
    """Write a wave's other rankings (results by name), each with a page; return their tables by the names of their files."""
    from satisfaction.publication.report import render  # brings matplotlib

    tables: dict[str, pd.DataFrame] = {}
    for name, other in results.items():
        published = tables_of(other, every_measure=False)
        tables |= _write_ranking(other, published, folder, prefix=f"{name}_")
        languages = other.survey.declared.languages
        for language in languages:
            page = render(other, published, language, name=name)
            write_text(page, folder / page_name(f"{name}_ranking.html", language, languages))
    return tables


def export_dated(results: Results, *, handover: bool = False) -> Path:
    """Export to a new dated folder below the survey's `out/`, and let `out/latest` stand for it.

    The revision is 1 for the first export, and one more whenever an input (late or corrected data, a rule) differs from that
    of the export before it.
    """
    with official_set(results, handover=handover) as dated:
        pass
    return dated.target


@contextmanager
def official_set(results: Results, *, handover: bool = False) -> Iterator[DatedFolder]:
    """Write what `export_dated` exports; the folder gets its name when the block ends without a fault, else it vanishes."""
    results = beside_folder(results)
    survey = results.survey
    departures = survey.departures()
    if departures:
        raise ExportError(
            "X402",
            _(
                "The results are not what the survey's folder gives: {departures}; nothing "
                "was written to out/.",
                departures=comma_list(departures),
            ),
            where=str(survey.folder),
            hint=_(
                "If a file changed during the run, run again; keep a trial with "
                "sat.export(results, folder), which marks it so."
            ),
        )
    revision = next_revision(results)
    with dated_folder(survey.folder / "out" / _stamp()) as dated:
        _write_set(results, dated.scratch, dated.target, handover=handover, revision=revision)
        yield dated
    point_latest(dated.target)


def export_as_trial(results: Results) -> Path:
    """Export a trial to a new folder <time>-trial below the survey's `out/`; `out/latest` stays what it is."""
    results = beside_folder(results)
    folder = results.survey.folder / "out" / f"{_stamp()}-trial"
    with dated_folder(folder) as dated:
        _write_set(results, dated.scratch, dated.target, handover=False, revision=1)
    return dated.target


def revision_of(folder: Path) -> int:
    """Return the revision of an exported folder."""
    revision = str(read_json(folder / "run.json").get("revision", ""))
    return int(revision) if revision.isdigit() else 1


def next_revision(results: Results) -> int:
    """Return the revision of a new set; where `out/latest` is damaged, one more than that of any set beside it.

    Where a program was stopped while it exchanged a copied `latest`, the newest set stands for it.
    """
    latest = results.survey.folder / "out" / "latest"
    if not latest.is_dir():
        official = [folder for folder in sets_of(latest.parent) if "-" not in folder.name]
        if not official:
            return 1
        latest = official[-1]
    try:
        before = read_json(latest / "manifest.json", ["inputs"])["inputs"]
        return revision_of(latest) + int(before != inputs(results))
    except DamagedSetError as fault:
        known = [0]
        for path in latest.parent.glob("*Z*/run.json"):
            with suppress(SatisfactionError):
                known.append(revision_of(path.parent))
        revision = _("revision of this run: {revision}", revision=max(known) + 1)
        say_beside(f"{fault}\n  {revision}")
        return max(known) + 1


def _way(survey: Path, folder: Path) -> str:
    """Return the way from a file set to its survey's folder; nothing where they share no folder but the root."""
    start = os.path.realpath(folder)
    end = os.path.realpath(survey)
    root = Path(end).anchor
    if Path(start).anchor != root or os.path.commonpath((end, start)) == root:
        return ""
    return Path(os.path.relpath(end, start)).as_posix()


def _stamp() -> str:
    return _now().strftime("%Y%m%dT%H%M%SZ")


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
