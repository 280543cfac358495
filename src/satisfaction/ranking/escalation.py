"""How often an area has been on the list in a row, and the step that follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from satisfaction.declarations.survey import Survey
from satisfaction.ranking.rank import Ranking

COLUMNS = ("code", "listed", "listed_in_a_row", "tied_waves", "step")


def standing(ranking: Ranking) -> dict[str, str]:
    """Return how every unit stands to the list: "yes", "tied" (in or out by how a tie is broken), "no"."""
    found = dict.fromkeys(ranking.table["unit"], "no")
    found |= dict.fromkeys(ranking.summary["listed"], "yes")
    return found | dict.fromkeys(ranking.summary["tied_at_cut"], "tied")


def listed_in_a_row(survey: Survey, ranking: Ranking) -> pd.DataFrame:
    """Count waves on the list up to this one, for every area that is on it now or tied at its cut.

    Waves are those of the earlier rankings and this one; a wave that is missing there has been declared not to have taken place
    (`gaps` of the history), and the count goes on across it. A tie at the cut counts as listed; `tied_waves` says how often.

    Returns
    -------
    DataFrame
        code, listed ("yes", "tied"), listed_in_a_row, tied_waves, step (number of the declared step reached, -1 for none).
    """
    earlier = _by_wave(survey)
    declared = survey.rules.escalation.steps if survey.rules.escalation else []
    rows = []
    for code, listed in standing(ranking).items():
        if listed != "no":
            run = [listed, *_run(code, earlier)]
            step = sum(one.listed_in_a_row <= len(run) for one in declared) - 1
            rows.append((code, listed, len(run), run.count("tied"), step))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _by_wave(survey: Survey) -> list[dict[str, str]]:
    """Return who was listed how in the earlier waves, the latest first."""
    if survey.history is None:
        return []
    waves = [rows for _, rows in survey.history.groupby("wave", sort=False)]
    return [dict(zip(rows["code"], rows["listed"], strict=True)) for rows in reversed(waves)]


def _run(code: str, earlier: Sequence[Mapping[str, str]]) -> list[str]:
    run: list[str] = []
    for wave in earlier:
        if wave.get(code, "no") == "no":
            break
        run.append(wave[code])
    return run
