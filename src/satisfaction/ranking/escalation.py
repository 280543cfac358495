"""How often an area has been on the list in a row, and the step that follows."""

from __future__ import annotations

import pandas as pd

from satisfaction.declarations.survey import Survey
from satisfaction.ranking.rank import Ranking

COLUMNS = ("code", "listed", "listed_in_a_row", "tied_waves", "step")


def standing(ranking: Ranking) -> dict[str, str]:
    """Return how every unit stands to the list: "yes", "tied" (in or out by how a tie is broken),
    "no".
    """
    stands = dict.fromkeys(ranking.table["unit"], "no")
    stands |= dict.fromkeys(ranking.summary.listed, "yes")
    return stands | dict.fromkeys(ranking.summary.tied_at_cut, "tied")


def listed_in_a_row(survey: Survey, ranking: Ranking) -> pd.DataFrame:
    """Count waves on the list up to this one, for every area that is on it now or tied at its cut.

    Waves are those of the earlier rankings and this one; a wave that is missing there has been
    declared not to have taken place (`gaps` of the history), and the count goes on across it. A tie
    at the cut counts as listed; `tied_waves` says how often.

    Returns
    -------
    DataFrame
        code, listed ("yes", "tied"), listed_in_a_row, tied_waves, step (number of the declared step
        reached, -1 for none).
    """
    earlier: list[dict[str, str]] = []  # the latest first
    if survey.history is not None:
        for _, wave in survey.history.groupby("wave", sort=False):
            earlier.insert(0, dict(zip(wave["code"], wave["listed"], strict=True)))
    steps = survey.rules.escalation.steps if survey.rules.escalation else []
    rows = []
    for code, listed in standing(ranking).items():
        if listed == "no":
            continue
        run = [listed]
        for wave in earlier:
            if wave.get(code, "no") == "no":
                break
            run.append(wave[code])
        reached = [step for step in steps if step.listed_in_a_row <= len(run)]
        rows.append((code, listed, len(run), run.count("tied"), len(reached) - 1))
    return pd.DataFrame(rows, columns=list(COLUMNS))
