"""The combined ranking as a file set beside the survey's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ..io.files import refuse_changed
from ..pipeline import Results
from ..published import STATUS, mark
from ..waves.folder import write_set
from . import Combination


def export_combined(results: Results, found: Combination) -> Path:
    """Write combined.csv, .xlsx and .json, lost points by item and department of every assessment, and run.json.

    The folder is <survey>/out/<time>-combined/; only run.json holds the clock.
    """
    tables = {"combined": found.table}
    for name, assessed in found.assessed.items():
        parts = {"lost": assessed.lost, "items": assessed.by_item, "departments": assessed.by_department}
        tables |= {f"{name}_{part}": table.assign(mark=mark(results.survey)) for part, table in parts.items()}
    refuse_changed(found.sources)
    inputs = {Path(path).name: digest for path, digest in found.sources.items()}
    record = {"combined": dict(found.summary), "combined_inputs": inputs, "ranking": dict(found.ranking.summary)}
    return write_set([results], "combined", tables=tables, lines=combined_lines(results, found), record=record)


def combined_lines(results: Results, found: Combination) -> list[str]:
    """Say what was combined, the list, and what it is worth."""
    summary, ranked = found.summary, found.ranking.summary
    weights = " + ".join(f"{summary['weights'][name]:g} {one.zh} {one.en}" for name, one in found.declared.components.items())
    lines = [summary["title"], *filter(None, [mark(results.survey)])]
    lines += [f"综合得分 combined score = {weights}  ({summary['aggregation']})", f"依据 source: {summary['source']}"]
    lines += [
        *summary["notes"],
        f"名单 listed: 末位 last {ranked['bottom']} / {ranked['p']}{_level(ranked)}",
    ]
    for row in found.table[found.table["code"].isin(set(ranked["listed"]))].itertuples():
        lines.append(
            f"  {row.rank:>3} {row.code} {row.name_zh}  {row.score:.2f}{_range(row)}  "
            f"{STATUS[row.status]}  (单按调查 by the survey alone: {_alone(row)})"
        )
    out = found.table[found.table["rank"].isna()]
    lines += [f"  {row.code} {row.name_zh}: {row.note}" for row in out.itertuples()]
    for name, assessed in found.assessed.items():
        lines += [f"{found.declared.components[name].zh}失分最多 most points lost: {_most(assessed.by_item, 'item_zh')}"]
        lines += [f"  按部门 by department: {_most(assessed.by_department, 'department')}"]
    return [*lines, *ranked["notes"]]


def _level(ranked: Mapping[str, Any]) -> str:
    return f"，名次范围 rank set {ranked['level']:.0%}" if ranked["selection"] == "probability" else ""


def _range(row: Any) -> str:
    """Write the set of a rank; nothing without a probability sample, which has none."""
    if pd.isna(row.marginal_low):
        return ""
    return f"  名次范围 rank set {row.marginal_low}–{row.marginal_high}"


def _alone(row: Any) -> str:
    """Say the rank by the survey alone with its set, where there is one."""
    if pd.isna(row.rank_survey):
        return "—"
    if pd.isna(row.rank_survey_low):
        return f"{row.rank_survey:g}"
    return f"{row.rank_survey:g}，范围 set {row.rank_survey_low:g}–{row.rank_survey_high:g}"


def _most(table: pd.DataFrame, column: str) -> str:
    return "、".join(f"{row[column] or '—'} {row['points']:g}" for row in table.head(3).to_dict("records")) or "无 none"
