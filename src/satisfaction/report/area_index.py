"""The index of the pages of areas."""

from __future__ import annotations

from typing import Any

import pandas as pd

from .. import plots
from ..io.pages import fill
from ..published import with_parents
from .areas import Language, Source, file_of
from .pictures import picture
from .tables import measured, records
from .verdicts import rank_with_set
from .words import ABSENT, STATUS_SHAPES, Words, both, count, interval, score


def index_values(source: Source) -> dict[str, Any]:
    """Return what the index of the pages shows."""
    survey, published = source.results.survey, source.published
    indices, ranking = published.indices, published.ranking.set_index("code")
    own = indices[(indices["measure"] == survey.questionnaire.ranked) & indices["level"].isin(source.levels())]
    names, parents = survey.area_names(), survey.parents()
    status = {code: STATUS_SHAPES[word] for code, word in ranking["status"].items()}
    rows = [
        {
            "code": row["code"],
            "file": f"{{}}/{file_of(row['code'])}",
            "name": both(row["name_zh"], row["name_en"]),
            "within": names.get(parents.get(row["code"], ""), Words("")),
            "estimate": score(row["estimate"], row["kind"], 2),
            "interval": interval(row["ci_low"], row["ci_high"], row["kind"]),
            "rank": rank_with_set(ranking.loc[row["code"]].to_dict()) if row["code"] in ranking.index else ABSENT,
            "status": _status(ranking, status, row["code"]),
            "n": count(row["n"]),
        }
        for row in records(own)
    ]
    drawn = plots.tile_map(with_parents(survey, indices), survey.questionnaire.ranked)
    label = measured(own.iloc[0].to_dict()).label
    alt = Words(
        f"各地区{label.zh}的方块图，数值见下表。",
        f"Tiles of {label.en or label.zh} by area; the values stand in the table below.",
    )
    proven = survey.declared.selection == "probability"
    shared = {"survey": survey, "proven": proven, "declared": survey.declared, "marks": survey.marks}
    return shared | {"areas": rows, "picture": picture(drawn, alt)}


def index_page(values: dict[str, Any], language: Language) -> str:
    """Fill the index in one language."""
    areas = [one | {"file": one["file"].format(language)} for one in values["areas"]]
    return fill("areas.html", values | {"areas": areas, "language": language})


def _status(ranking: pd.DataFrame, shapes: dict[str, str], code: str) -> Words:
    if code not in ranking.index:
        return Words(ABSENT)
    return Words(f"{shapes[code]} {ranking.loc[code, 'status_zh']}", f"{shapes[code]} {ranking.loc[code, 'status']}")
