"""The ranking by the combined score alone, as `run` publishes it: of the survey's combined.yaml, or of another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd

from satisfaction.comparison.sides import refuse_awaited
from satisfaction.comparison.wave_files import Command, write_set
from satisfaction.comparison.wave_sheets import scores_sheet
from satisfaction.composite.scores import CombinedScores, combined_scores
from satisfaction.declarations.combined import COMBINED, read_combined_inputs
from satisfaction.declarations.survey import RankedBy, Survey
from satisfaction.foundation.errors import RankingError
from satisfaction.foundation.files import path_below, recorded
from satisfaction.foundation.language import NOTHING, Text, _
from satisfaction.foundation.workbooks import ShownSheet
from satisfaction.foundation.yaml import refuse_placeholders
from satisfaction.pipeline import Results, ranked_further
from satisfaction.publication.file_set import write_rankings
from satisfaction.publication.tables import combined_files, formula_lines, results_by, tables_of
from satisfaction.ranking.rank import require_ranks


def combine(results: Results, path: Path) -> Results:
    """Rank a wave by the combined score that a combined.yaml declares.

    The rules are those of the ranking that rules.yaml declares for `combined`, else those under `ranking`.

    Parameters
    ----------
    results : Results
    path : Path
        combined.yaml; the files it names lie beside it.

    Raises
    ------
    RankingError
        K301-K307, K311-K316 from what is read, K317 where components or areas with all of them are missing, K341 where the
        survey ranks nothing.
    """
    require_ranks(results.ranking, where=str(path))
    with recorded() as read:
        inputs = read_combined_inputs(path, areas=results.survey.areas)
    refuse_placeholders(map(Path, read), RankingError)
    survey = _ranked_by_combined(results)
    survey = replace(survey, combined=inputs, read={**survey.read, **read})
    scores = combined_scores(survey, inputs, results.estimates)
    refuse_awaited(survey, scores, COMBINED)
    together = scores.beside(survey, results.estimates)
    return ranked_further(replace(results, combined=scores, estimates=together), survey)


def _ranked_by_combined(results: Results) -> Survey:
    """Return the survey as rules.yaml has it ranked by the combined score, else with the list of its own ranking."""
    declared = results_by(results, COMBINED)
    if declared is not None:
        return declared.survey
    rules = results.survey.rules.alone()
    return results.survey.ranked_by(RankedBy(COMBINED, COMBINED, rules))


def combined_lines(found: Results) -> list[Text]:
    """Say how the score is put together, the list, and what it is worth."""
    statement = tables_of(found, every_measure=False).statement
    return [*formula_lines(found), statement, *found.ranking.summary["notes"]]


def export_combined(found: Results, folder: Path | None = None) -> Path:
    """Write the files of the ranking and of the components as `run` names them, and run.json; returns the folder.

    Parameters
    ----------
    found : Results
        As `combine` returns them.
    folder : Path, optional
        Default: <survey>/out/<time>-combined/. Only run.json holds the clock.
    """
    assert found.combined is not None
    inputs = found.combined.inputs
    record = {
        "combined": inputs.declared.model_dump(mode="json", exclude_none=True),
        "ranking": dict(found.ranking.summary),
    }
    tables = combined_files(found)
    return write_set(
        [found],
        "combined",
        tables=tables,
        lines=combined_lines(found),
        record=record,
        further=partial(write_rankings, {COMBINED: found}),
        command=Command("combined", {"declared": path_below(found.survey.folder, inputs.path)}),
        folder=folder,
        shown=partial(_scores_shown, tables, found.area),
        words={"branch": _branches(found.combined)},
    )


def _branches(combined: CombinedScores) -> dict[str, Text]:
    """Return what the branches of all assessments are called, by their code in the tables of lost points."""
    words = {"": NOTHING, "veto": _("veto")}
    for part in combined.ranked.parts:
        if part.assessed is not None:
            words |= part.assessed.tree.branches()
    return words


def _scores_shown(tables: Mapping[str, pd.DataFrame], level: str) -> dict[str, ShownSheet]:
    """Return the sheet that people read in place of the scores, in the current language."""
    scores = next(iter(tables))
    return {scores: scores_sheet(tables[scores], level, str(_("for people")))}
