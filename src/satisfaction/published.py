"""The tables that leave the house: indices and ranking, with names, units, marks, and 12 significant digits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .estimates import Estimates
from .io.yaml import Label
from .questionnaire import Questionnaire
from .ranking import Ranking
from .survey import Survey

DIGITS = 12
STATUS = {
    "established": Label(zh="已确认属于", en="established"),
    "possible": Label(zh="不能确定", en="possible"),
    "excluded": Label(zh="已排除", en="excluded"),
    "not ranked": Label(zh="样本不足，不排名", en="not ranked"),
}
VERDICT = {
    "met": Label(zh="已达到", en="met"),
    "not met": Label(zh="未达到", en="not met"),
    "not decidable": Label(zh="无法判断", en="not decidable"),
    "not ranked": Label(zh="不排名", en="not ranked"),
}
UNITS = {"rate": "share 0-1", "score": "points 0-100", "index": "points 0-100"}


def indices_table(survey: Survey, estimates: dict[str, Estimates]) -> pd.DataFrame:
    """Return every estimate of every level as published.

    Returns
    -------
    DataFrame
        survey, wave, level, code, name_zh, name_en, measure, measure_zh, measure_en, kind, unit, estimate, se, df, ci_low,
        ci_high, cv, deff, n, note, selection, mark; rates as shares 0-1, scores and indices in points 0-100.
    """
    names, described = area_labels(survey), measure_labels(survey.questionnaire)
    parts = []
    for level, one in estimates.items():
        codes = one.table[one.by[0]].astype(str) if one.by else pd.Series(whole_code(survey), index=one.table.index)
        parts.append(one.table.drop(columns=list(one.by)).assign(level=level, code=codes))
    table = pd.concat(parts, ignore_index=True)
    kinds = table["measure"].map({name: kind for name, (kind, _) in described.items()})
    table = table.assign(
        survey=survey.name,
        wave=survey.declared.wave,
        kind=kinds,
        unit=kinds.map(UNITS),
        name_zh=table["code"].map({c: label.zh for c, label in names.items()}),
        name_en=table["code"].map({c: label.en for c, label in names.items()}),
        measure_zh=table["measure"].map({m: label.zh for m, (_, label) in described.items()}),
        measure_en=table["measure"].map({m: label.en for m, (_, label) in described.items()}),
        selection=survey.declared.selection,
        mark=mark(survey),
        n=table["n"].astype(np.int64),
    )
    first = ["survey", "wave", "level", "code", "name_zh", "name_en", "measure", "measure_zh", "measure_en", "kind", "unit"]
    numbers = ["estimate", "se", "df", "ci_low", "ci_high", "cv", "deff", "n", "note"]
    return twelve_digits(table[[*first, *numbers, "selection", "mark"]])


def ranking_table(survey: Survey, estimates: dict[str, Estimates], ranking: Ranking) -> pd.DataFrame:
    """Return the ranking as published, in rank order: no rank without its sets, status and probability.

    Returns
    -------
    DataFrame
        survey, wave, code, name_zh, name_en, measure, estimate, se, n, rank, marginal_low, marginal_high, simultaneous_low,
        simultaneous_high, listed ("yes", "no", "tied"), status, status_zh, p_in, p_out, probability_bottom, expected_rank,
        reliability, target, target_verdict, target_zh, target_p_met, target_p_not_met, mark.
    """
    names, targets = area_labels(survey), _targets(survey, ranking)
    ranked = next(iter(estimates.values())).of(survey.questionnaire.ranked).table
    table = ranking.table.rename(columns={"unit": "code"}).assign(n=ranked["n"].to_numpy(np.int64))
    table = table.assign(
        survey=survey.name,
        wave=survey.declared.wave,
        measure=survey.questionnaire.ranked,
        name_zh=table["code"].map({c: label.zh for c, label in names.items()}),
        name_en=table["code"].map({c: label.en for c, label in names.items()}),
        listed=table["code"].map(_listed(ranking)).fillna("no"),
        status_zh=table["status"].map({word: label.zh for word, label in STATUS.items()}),
        mark=mark(survey),
    ).merge(targets, on="code", how="left")
    first = ["survey", "wave", "code", "name_zh", "name_en", "measure", "estimate", "se", "n", "rank"]
    sets = ["marginal_low", "marginal_high", "simultaneous_low", "simultaneous_high", "listed", "status", "status_zh"]
    model = ["p_in", "p_out", "probability_bottom", "expected_rank", "reliability"]
    table = table[[*first, *sets, *model, *(c for c in targets if c != "code"), "mark"]]
    return twelve_digits(table.sort_values(["rank", "code"], na_position="last", ignore_index=True))


def twelve_digits(table: pd.DataFrame) -> pd.DataFrame:
    """Round every float column to 12 significant digits, the unit of 'identical' between machines."""
    floats = {name: table[name].map(lambda x: float(f"{x:.{DIGITS}g}")) for name in table.select_dtypes("float")}
    return table.assign(**floats)


def area_labels(survey: Survey) -> dict[str, Label]:
    """Return the names of all areas, and of all together."""
    return survey.area_names() | ({} if survey.areas is not None else {whole_code(survey): Label(zh="全部", en="all")})


def whole_code(survey: Survey) -> str:
    """Return the code that all areas together carry."""
    return "all" if survey.areas is None else str(survey.areas.loc[survey.areas["parent"] == "", "code"].iloc[0])


def measure_labels(questionnaire: Questionnaire) -> dict[str, tuple[str, Label]]:
    """Return kind and label of every published measure."""
    groups: dict[str, dict[str, Any]] = {
        "rate": dict(questionnaire.rates),
        "score": {name: questionnaire.items[name] for name in questionnaire.topics},
        "index": dict(questionnaire.indices),
    }
    return {name: (kind, Label(zh=one.zh, en=one.en)) for kind, group in groups.items() for name, one in group.items()}


def mark(survey: Survey) -> str:
    """Return what every row must say about the sample, in both languages; empty for a real probability sample."""
    return str(survey.marks or "")


def _listed(ranking: Ranking) -> dict[str, str]:
    listed = dict.fromkeys(ranking.summary["listed"], "yes")
    return listed | dict.fromkeys(ranking.summary["tied_at_cut"], "tied")


def _targets(survey: Survey, ranking: Ranking) -> pd.DataFrame:
    """Test the targets that rules.yaml declares, each for its own area."""
    columns = ["code", "target", "target_verdict", "target_zh", "target_p_met", "target_p_not_met"]
    rows, tested = [], {places: ranking.target("top", places).table.set_index("unit") for places in _places(survey)}
    for code, target in survey.rules.targets.items():
        found = tested[target.top].loc[code]
        verdict = VERDICT[found["verdict"]]
        rows.append((code, f"top {target.top}", verdict.en, verdict.zh, found["p_met"], found["p_not_met"]))
    return pd.DataFrame(rows, columns=columns)


def _places(survey: Survey) -> set[int]:
    return {target.top for target in survey.rules.targets.values()}
