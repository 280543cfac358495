"""Whether the items of an index measure one thing: Cronbach's alpha and corrected item-total correlations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import pingouin

from .design import SurveyDesign
from .engines import fetch
from .errors import EstimatesError
from .measures import Measure, add_columns
from .questionnaire import Questionnaire

Array = np.ndarray[Any, Any]
CONVENTIONS = {
    "items": "equal weights, declared scores (points 0-100)",
    "cases": "complete cases: valid answers to all items",
    "weights": "not used: alpha describes these respondents, not the population",
    "interval": "none: the usual one assumes simple random sampling",
}


@dataclass(frozen=True, slots=True)
class Reliability:
    """Internal consistency of an index's items.

    Attributes
    ----------
    index : str
    alpha : float
        Cronbach's alpha (1951) over all items.
    complete, respondents : int
        Respondents with valid answers to all items; respondents.
    table : DataFrame (K, ...)
        One row an item: item, zh, en, mean and sd (points 0-100), item_total (correlation with the sum of the other
        items), alpha_without (alpha of the other items).
    conventions : dict
        How items, cases and weights were treated, and that there is no interval.
    """

    index: str
    alpha: float
    complete: int
    respondents: int
    table: pd.DataFrame
    conventions: dict[str, str]

    @property
    def summary(self) -> pd.Series:
        """Return what holds for the index as a whole, conventions included."""
        head = {"index": self.index, "alpha": self.alpha, "complete": self.complete, "respondents": self.respondents}
        return pd.Series(head | self.conventions, name="reliability")


def reliability(design: SurveyDesign, questionnaire: Questionnaire, index: str) -> Reliability:
    """Assess the items of a person-level index on the respondents who answered all of them.

    Parameters
    ----------
    design : SurveyDesign
        With the questionnaire's measures; its weights are not used.
    questionnaire : Questionnaire
    index : str

    Raises
    ------
    EstimatesError
        E131 when there is no such index of level person, E132 when one of its items is no topic, E133 for fewer than two
        items or two complete cases.
    """
    items = _items(design, questionnaire, index)
    rows = fetch(_columns(design, list(items.values())))
    valid = rows[[measure.valid_column for measure in items.values()]].to_numpy(bool).all(axis=1)
    scores = rows.loc[valid, [measure.score_column for measure in items.values()]].to_numpy(float)
    if min(scores.shape) < 2:
        raise EstimatesError(
            "E133",
            f"'{index}' 至少要有两个题目和两份完整答案。",
            f"'{index}' needs at least two items and two complete cases.",
            where="reliability",
            hint=("选用题目更多的指数。", "Choose an index of more items."),
        )
    described = pd.DataFrame(
        {"item": list(items), **{lang: [getattr(m.label, lang) for m in items.values()] for lang in ("zh", "en")}}
    )
    others = [cronbach_alpha(np.delete(scores, i, axis=1)) for i in range(len(items))]
    table = described.assign(
        mean=scores.mean(axis=0), sd=scores.std(axis=0, ddof=1), item_total=item_total(scores), alpha_without=others
    )
    return Reliability(index, cronbach_alpha(scores), len(scores), len(rows), table, CONVENTIONS)


def cronbach_alpha(scores: Array) -> float:
    """Cronbach's alpha of complete scores, (n, K); nan for a single item or scores without variance."""
    if scores.shape[1] < 2 or np.ptp(scores.sum(axis=1)) == 0:
        return float("nan")
    return float(pingouin.cronbach_alpha(data=pd.DataFrame(scores))[0])


def item_total(scores: Array) -> Array:
    """Correlation of each item with the sum of the others, (n, K) -> (K,); nan where one of them does not vary."""
    rest = scores.sum(axis=1, keepdims=True) - scores
    own, rest = scores - scores.mean(axis=0), rest - rest.mean(axis=0)
    spread = np.sqrt((own**2).sum(axis=0) * (rest**2).sum(axis=0))
    return np.asarray(np.divide((own * rest).sum(axis=0), spread, out=np.full(scores.shape[1], np.nan), where=spread > 0))


def _items(design: SurveyDesign, questionnaire: Questionnaire, index: str) -> dict[str, Measure]:
    person = {name: one for name, one in questionnaire.indices.items() if one.level == "person"}
    if index not in person:
        raise EstimatesError(
            "E131",
            f"没有按人计算的指数 '{index}'。",
            f"There is no index '{index}' of level person.",
            where="reliability",
            available=person,
            got=index,
            hint=("选用 level 为 person 的指数。", "Choose an index of level person."),
        )
    if lacking := [item for item in person[index].weights if item not in design.measures]:
        raise EstimatesError(
            "E132",
            f"指数 '{index}' 的题目 '{lacking[0]}' 没有单独计分。",
            f"Item '{lacking[0]}' of '{index}' has no score of its own.",
            where=f"indices.{index}.weights",
            available=design.measures,
            hint=("把该题目列入 topics。", "List the item under `topics`."),
        )
    return {item: design.measures[item] for item in person[index].weights}


def _columns(design: SurveyDesign, measures: list[Measure]) -> Any:
    columns = [name for measure in measures for name in (measure.valid_column, measure.score_column)]
    return add_columns(design.rows(), measures).select(*(nw.col(name) for name in columns))
