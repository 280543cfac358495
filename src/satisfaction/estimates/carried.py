"""Estimates without the tally: what may leave a place whose counts may not.

Carried are the estimates with their conventions and, for every sampling unit, the totals of the linearized variables (in
the form whose cross-products are the covariance) and which domains it has respondents of. No count of respondents by cell and no answer is among them. Ranks,
contrasts and the change between waves that share PSUs go on from there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..design import ROW, SurveyDesign
from ..errors import EstimatesError
from ..io.files import changed_since, new_folder, read_json, refuse_existing
from ..io.tables import read_table
from ..io.writing import write_checksums, write_json, write_rfc4180, write_text
from ..variance import Members
from .result import Estimates
from .sample import Contributions

FORMAT = 2
KINDS = {"i": "int64", "u": "int64", "b": "bool", "f": "float64"}
WORDS = """估计值与各初级单元的线性化变量合计；不含任何计数与答案。
Estimates, and per sampling unit the totals of the linearized variables; no counts and no answers.

estimates.csv      估计值 one row a domain and measure, in order
units.csv          初级单元 sampling units of the first stage, in order
contributions.csv  unit, quantity (行号，从 0 起 row numbers from 0), value
members.csv        unit, quantity：该单元中有该域的受访者 units with a respondent of the domain (for degrees of freedom)
conventions.json   约定 what produced the numbers
"""


def write_estimates(estimates: Estimates, folder: str | Path) -> Path:
    """Write estimates into a folder that does not exist yet: figures, PSU totals of linearized variables, PSUs of each domain.

    Column `n` (respondents of a domain) is carried, because ranks ask for a minimum; counts of any finer cell are not. PSUs
    keep their codes: two waves are told apart by them.

    Raises
    ------
    EstimatesError
        E181 for a folder that exists, E183 where every respondent is a PSU: the totals would be respondents.
    """
    target = Path(folder)
    if ROW in estimates.contributions.units:
        raise EstimatesError(
            "E183", "设计中每位受访者就是一个初级单元，带出的合计会是个人数据。", "Every respondent is a PSU of this design: the totals would be persons.",
            where="write_estimates", hint=("在设计中声明 psu。", "Declare `psu` in the design."),
        )  # fmt: skip
    refuse_existing(target, EstimatesError, "E181")
    entries, held = sp.coo_array(sp.csr_array(estimates.contributions.matrix)), estimates.contributions
    listed = pd.DataFrame({"unit": entries.row, "quantity": entries.col, "value": entries.data}).sort_values(["unit", "quantity"])
    inside = held.members.inside.tocoo()
    members = pd.DataFrame({"unit": inside.row, "quantity": inside.col}).sort_values(["unit", "quantity"])
    record = {
        "format": FORMAT, "by": list(estimates.by), "conventions": estimates.conventions, "shape": list(entries.shape),
        "unsolved": held.unsolved, "remark": held.remark, "strata": list(estimates.design.strata), "stages": list(estimates.design.stages),
        "stratum_of_unit": held.members.stratum.tolist(),
        "kinds": {"estimates": _kinds(estimates.table), "units": _kinds(held.units)},
    }  # fmt: skip
    with new_folder(target) as scratch:
        write_rfc4180(estimates.table, scratch / "estimates.csv")
        write_rfc4180(held.units, scratch / "units.csv")
        write_rfc4180(listed, scratch / "contributions.csv")
        write_rfc4180(members, scratch / "members.csv")
        write_json(record, scratch / "conventions.json")
        write_text(WORDS, scratch / "README.txt")
        write_checksums(scratch)
    return target


def read_estimates(folder: str | Path) -> Estimates:
    """Read what `write_estimates` wrote: the same numbers to the last bit.

    Returns
    -------
    Estimates
        Its design has the sampling units as rows and no measures: nothing further can be estimated from it.

    Raises
    ------
    EstimatesError
        E182 for a folder that is none, or whose files were changed.
    """
    source = Path(folder)
    changed = changed_since(source, source / "SHA256SUMS") if (source / "SHA256SUMS").is_file() else {"SHA256SUMS": "missing"}
    record: dict[str, Any] = {} if changed else read_json(source / "conventions.json")
    if record.get("format") != FORMAT:
        raise EstimatesError(
            "E182", "不是 write_estimates 写出的文件夹，或文件已被改动。", "Not a folder that write_estimates wrote, or a file was changed.",
            where=str(source), got=str(changed or record.get("format")), hint=("重新带出。", "Carry it out again."),
        )  # fmt: skip
    table = _typed(read_table(source / "estimates.csv"), record["kinds"]["estimates"])
    units = _typed(read_table(source / "units.csv"), record["kinds"]["units"])
    listed = read_table(source / "contributions.csv")
    places = listed["unit"].astype(int), listed["quantity"].astype(int)
    values = listed["value"].replace("", "nan").astype(float)  # of a withheld figure
    matrix = sp.csr_array((values, places), shape=tuple(record["shape"]))
    listed = read_table(source / "members.csv")
    stratum = np.array(record["stratum_of_unit"])
    places = listed["unit"].astype(int), listed["quantity"].astype(int)
    inside = sp.csr_array((np.ones(len(listed)), places), shape=(len(stratum), len(table)))
    held = Contributions(units, matrix, Members(inside, stratum), record["unsolved"], record["remark"])
    conventions = record["conventions"]
    design = SurveyDesign(
        units, strata=record["strata"] or None, psu=record["stages"][:1] or None, lonely_psu=conventions["lonely_psu"],
        selection=conventions["selection"],
    )  # fmt: skip
    return Estimates(table, held.covariance, held, tuple(record["by"]), conventions, design)


def _kinds(table: pd.DataFrame) -> list[tuple[str, str]]:
    texts = {name: "str" if isinstance(kind, pd.StringDtype) else "object" for name, kind in table.dtypes.items()}
    return [(str(name), KINDS.get(getattr(kind, "kind", "O"), texts[name])) for name, kind in table.dtypes.items()]


def _typed(table: pd.DataFrame, kinds: list[tuple[str, str]]) -> pd.DataFrame:
    """Give columns of text their types again; an empty cell is a missing number, or an empty text."""
    texts = ("str", "object")
    return pd.DataFrame(
        {
            name: (table[name] if kind in texts else pd.to_numeric(table[name].replace("", np.nan))).astype(kind)
            for name, kind in kinds
        }
    )
