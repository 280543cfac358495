"""The picture of a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import plots

if TYPE_CHECKING:
    from .plan import Plan


def needs_plot(plan: Plan, *, mark: str) -> plots.Figure | None:
    """Draw the interviews every wish needs beside those of the last wave; None where no wish has a number."""
    feasible = plan.needs.dropna(subset="psus")
    if feasible.empty:
        return None
    now = float((plan.model.psus * plan.model.per_psu).sum())
    names = [f"{row.wish_zh}\n{row.wish_en}" for row in feasible.itertuples()]
    return plots.bars(
        names,
        feasible["interviews"].astype(float).tolist(),
        line=now,
        mark=mark,
        zh="各项要求所需的访问数",
        en="Interviews each wish needs",
        line_label="上一期 last wave",
        unit="份 interviews",
    )
