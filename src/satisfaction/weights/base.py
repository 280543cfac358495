"""Base weights from inclusion probabilities."""

from __future__ import annotations

import pandas as pd

from ..errors import WeightsError, shortened


def base_weights(respondents: pd.DataFrame, sample: pd.DataFrame, psu: str) -> pd.DataFrame:
    """Add base_weight = 1 / (psu_probability x person_probability) to respondents.

    Parameters
    ----------
    respondents : DataFrame
        With the PSU column.
    sample : DataFrame
        One row a sampled PSU: psu, psu_probability, person_probability (text or numbers, in (0, 1]).

    Raises
    ------
    WeightsError
        W111 a probability outside (0, 1]; W112 a PSU that stands twice in the sample.
    """
    probability = sample[["psu_probability", "person_probability"]].apply(pd.to_numeric, errors="coerce")
    wrong = ~((probability > 0) & (probability <= 1)).all(axis=1)
    if wrong.any():
        raise WeightsError(
            "W111",
            f"抽样概率不在 (0, 1] 内: {shortened(sample.loc[wrong, psu])}。",
            f"Inclusion probabilities outside (0, 1]: {shortened(sample.loc[wrong, psu])}.",
            where="sample",
            hint=("改正 sample 表中的概率。", "Correct the probabilities in the sample table."),
        )
    if (twice := sample[psu].duplicated()).any():
        raise WeightsError(
            "W112",
            f"sample 表中初级单元重复: {shortened(sample.loc[twice, psu])}。",
            f"PSUs stand twice in the sample table: {shortened(sample.loc[twice, psu])}.",
            where="sample",
            hint=("每个初级单元只保留一行。", "Keep one row a PSU."),
        )
    weight = pd.Series(1 / probability.prod(axis=1).to_numpy(), index=sample[psu])
    return respondents.assign(base_weight=respondents[psu].map(weight).astype(float))
