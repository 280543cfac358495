"""The same number, device or network address again."""

from __future__ import annotations

import re
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..errors import ResponsesError
from .checks import Fields, findings
from .compare import others_quartiles
from .timing import commonest, upper_fence

PERSONAL = re.compile(r"^\s*(?:\d{1,3}(?:\.\d{1,3}){3}|(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}|(?:\+?86)?1[3-9]\d{9})\b")


def duplicate_ids(rows: pd.DataFrame, *, fields: Fields) -> pd.DataFrame:
    """Find respondents whose number stands more than once.

    Returns
    -------
    DataFrame
        COLUMNS, check duplicate_id, one row a respondent in row order; figure: times the number stands. A missing number is
        not compared.

    Raises
    ------
    ResponsesError
        R401.
    """
    unit = fields.codes(rows, "respondent", needed=True)
    times = unit.groupby(unit).transform("size").where(unit != "").to_numpy(float)
    known = times[np.isfinite(times)]
    reference = np.quantile(known, [0.5, 0.25, 0.75])[:, None] if len(known) else np.full((3, 1), np.nan)
    return findings(
        "duplicate_id", "respondent", unit=unit, county=fields.codes(rows, "county"), n=1, figure=times, reference=reference,
        flag=times > 1,
    )  # fmt: skip


def shared_values(rows: pd.DataFrame, *, fields: Fields, field: Literal["device", "ip"], most: int | None = None) -> pd.DataFrame:
    """Find devices or network addresses with more interviews than others.

    Parameters
    ----------
    rows : DataFrame
    fields : Fields
    field : {"device", "ip"}
    most : int, optional
        The most that are in order (1 where residents answer on their own devices); without it, those beyond the upper
        quartile of the others by more than three interquartile ranges are flagged.

    Returns
    -------
    DataFrame
        COLUMNS and counties, interviewers (numbers of different ones); one row a device or address, the largest first; county
        is the commonest. Checks: shared_device, shared_ip.

    Raises
    ------
    ResponsesError
        R401; R405 for values that are a network address or telephone number as it stands: hash them before.
    """
    value = fields.codes(rows, field, needed=True)
    _refuse_personal(value, field)
    parts = pd.DataFrame({name: fields.codes(rows, name) for name in ("county", "interviewer")}).assign(value=value)
    parts = parts[parts["value"] != ""]
    by = parts.groupby("value")
    table = pd.DataFrame({"n": by.size(), "county": commonest(parts, "county", by=["value"])})
    table = table.assign(counties=by["county"].nunique(), interviewers=by["interviewer"].nunique()).reset_index()
    table = table.sort_values(["n", "value"], ascending=[False, True], ignore_index=True)
    figure = table["n"].to_numpy(float)
    reference = others_quartiles(figure)
    found = findings(
        f"shared_{field}", field, unit=table["value"], county=table["county"], n=table["n"], figure=figure, reference=reference,
        flag=figure > (upper_fence(reference) if most is None else most),
    )  # fmt: skip
    return found.assign(counties=table["counties"], interviewers=table["interviewers"])


def _refuse_personal(value: pd.Series[Any], field: str) -> None:
    if value.str.match(PERSONAL).any():
        raise ResponsesError(
            "R405",
            f"'{field}' 列含未散列的网络地址或电话号码。",
            f"The column of '{field}' holds network addresses or telephone numbers as they are.",
            where="fieldwork",
            hint=("先以密钥散列该列，再做检查。", "Hash the column with a key before the check."),
        )
