"""The tables of a run as files; the notebooks write the same ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ..estimates import Estimates
from ..io.writing import write_csv, write_parquet, write_text
from ..published import Tables, mark, spoken, twelve_digits, with_chinese_headings
from ..ranking import Ranking
from ..responses import Responses, write_rejected
from ..survey import Survey
from .people import write_indices_workbook, write_ranking_workbook


def write_responses(survey: Survey, responses: Responses, folder: Path) -> None:
    """Write rejected.csv (one row a rejected row), log.csv (one row an event) and rejected.xlsx for the team to correct."""
    write_rejected(responses, survey.questionnaire, folder / "rejected.xlsx", mark=mark(survey))
    write_csv(responses.rejected.assign(mark=mark(survey)), folder / "rejected.csv")
    write_csv(responses.log.assign(mark=mark(survey)), folder / "log.csv")


def write_indices(table: pd.DataFrame, folder: Path) -> None:
    """Write indices.csv, indices_zh.csv (Chinese headings), indices.xlsx and indices.parquet."""
    _write_both(table, folder / "indices.csv")
    write_indices_workbook(table, folder / "indices.xlsx")
    write_parquet(table, folder / "indices.parquet")


def write_ranking(survey: Survey, published: Tables, ranking: Ranking, *, estimates: dict[str, Estimates], folder: Path) -> None:
    """Write the ranking and what follows from it; tables that nothing is declared for are left out.

    ranking.csv, ranking_zh.csv (Chinese headings), ranking.xlsx, ranking.parquet and covariance.csv; ranking_sentences.csv
    (what may be said of every area), ranking_within.csv (within larger areas), ranking_targets.csv, ranking_thresholds.csv,
    ranking_escalation.csv and ranking_waves.csv (ranks over the waves); reading.html, one page for readers without statistics.
    Where nothing is ranked, ranking.csv says so of every area (`status`), and there is no reading.html. Without a probability
    sample there is no covariance and there are no sets to read: neither file is written.
    """
    said = [published.statement.zh, published.statement.en]
    notes = pd.DataFrame({"note": [*filter(None, [mark(survey)]), *ranking.summary["notes"], *said]})
    _write_both(published.ranking, folder / "ranking.csv")
    write_ranking_workbook(published.ranking, notes, folder / "ranking.xlsx", share=spoken(survey)[0] == "rate")
    write_parquet(published.ranking, folder / "ranking.parquet")
    for name, table in further_tables(survey, published, estimates).items():
        write_csv(table, folder / f"{name}.csv")
    if not ranking.ranks_any or ranking.summary["selection"] != "probability":
        return
    from ..report.reading import render_reading  # brings matplotlib, which `import satisfaction` should not

    kind, measure = spoken(survey)
    write_text(render_reading(published.ranking, ranking.summary, kind=kind, measure=measure), folder / "reading.html")


def further_tables(survey: Survey, published: Tables, estimates: dict[str, Estimates]) -> dict[str, pd.DataFrame]:
    """Return the tables beside indices and ranking that have rows, by file name."""
    tables = {
        "covariance": covariance_table(survey, estimates),
        "ranking_sentences": published.sentences.assign(mark=mark(survey)),
        "ranking_within": published.within,
        "ranking_targets": published.targets,
        "ranking_thresholds": published.thresholds,
        "ranking_escalation": published.escalation,
        "ranking_waves": published.paths,
    }
    return {name: table for name, table in tables.items() if len(table)}


def covariance_table(survey: Survey, estimates: dict[str, Estimates]) -> pd.DataFrame:
    """Return the sampling covariance of the ranked measure between areas: entries that are neither zero nor withheld."""
    ranked = next(iter(estimates.values())).of(survey.questionnaire.ranked)
    codes = ranked.table[ranked.by[0]].astype(str).to_numpy()
    row, column = np.nonzero(np.triu(np.nan_to_num(ranked.cov)))
    entries = {"code": codes[row], "other_code": codes[column], "covariance": ranked.cov[row, column]}
    return twelve_digits(pd.DataFrame(entries).assign(measure=survey.questionnaire.ranked, mark=mark(survey)))


def _write_both(table: pd.DataFrame, path: Path) -> None:
    """Write a table under its own column names, and beside it under the Chinese ones."""
    write_csv(table, path)
    write_csv(with_chinese_headings(table), path.with_stem(f"{path.stem}_zh"))
