"""Replicate weights of a design, a row a respondent, for other tools: the whole recipe replayed in every replicate."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp

from satisfaction.estimation.domains import LEFT_OUT, Options, fpc_dropped, make_replicates
from satisfaction.estimation.hypothesis_tests import ROW_NUMBER, with_row_numbers
from satisfaction.estimation.sample import Replay, Sample, Unsolved, lay_out
from satisfaction.foundation.engines import fetch, one_blas_thread
from satisfaction.foundation.errors import EstimatesError, one_of
from satisfaction.foundation.figures import Brief
from satisfaction.foundation.files import new_folder, refuse_existing
from satisfaction.foundation.language import N_, _, ngettext
from satisfaction.foundation.tables import write_checksums, write_rfc4180, write_text
from satisfaction.sampling.conditions import require_columns
from satisfaction.sampling.design import SampleDesign, refuse_subpopulation
from satisfaction.sampling.replicates import Replicates
from satisfaction.sampling.tally import Tally
from satisfaction.sampling.variance import Array
from satisfaction.weighting.recipe import FINAL

Method = Literal["jkn", "brr", "fay", "rao-wu"]
ROW_NAME = "row"
MOST_NUMBERS = 200_000_000  # 1.6 GB
CHUNK = 64  # replicates at once


@dataclass(frozen=True, slots=True, repr=False)
class ReplicateWeights(Brief):
    """Replicate weights of n respondents in R replicates.

    Attributes
    ----------
    table : DataFrame (n, 2 + R)
        The respondent's identifier (or `row`, from 1, in the rows' order), `final_weight`, and rep_1 ... (with leading zeros):
        full weights, base weight included.
    scale : float
    rscales : (R,) float
        V = scale sum_r rscales_r (theta_r - centre)^2.
    mse : bool
        False: the centre is the mean of the replicates.
    identifier : str
        The first column of the table.
    conventions : dict
        variance, replicates, seed, fpc, weighting, note.
    """

    table: pd.DataFrame
    scale: float
    rscales: Array
    mse: bool
    identifier: str
    conventions: dict[str, Any]

    @property
    def columns(self) -> list[str]:
        """Return the names of the replicates' columns."""
        return [str(name) for name in self.table.columns[2:]]

    @property
    def script(self) -> str:
        """Return the R script that declares the design: a function of the respondents."""
        mse = "TRUE" if self.mse else "FALSE"
        return SCRIPT.format(
            about=ABOUT,
            identifier=json.dumps(self.identifier, ensure_ascii=False),
            final=FINAL,
            scale=repr(float(self.scale)),
            mse=mse,
        )

    def write(self, folder: str | Path) -> Path:
        """Write replicate_weights.csv, rscales.csv and svrepdesign.R into a folder that does not exist yet.

        Raises
        ------
        EstimatesError
            E181 for a folder that exists.
        """
        target = Path(folder)
        refuse_existing(target, EstimatesError, "E181")
        scales = pd.DataFrame({"replicate": self.columns, "rscale": self.rscales})
        with new_folder(target) as scratch:
            write_rfc4180(self.table, scratch / "replicate_weights.csv")
            write_rfc4180(scales, scratch / "rscales.csv")
            write_text(self.script, scratch / "svrepdesign.R")
            write_checksums(scratch)
        return target


ABOUT = _(
    "Replicate weights that give the published several-step standard errors. Run in this folder."
)
SCRIPT = """# {about}
library(survey)
identifier <- {identifier}
weights <- read.csv("replicate_weights.csv", check.names = FALSE, fileEncoding = "UTF-8",
  colClasses = setNames("character", identifier))
rscales <- read.csv("rscales.csv")$rscale
replicated <- function(respondents) {{
  at <- match(as.character(respondents[[identifier]]), weights[[identifier]])
  stopifnot(!anyNA(at))
  svrepdesign(
    data = respondents, weights = weights${final}[at], repweights = as.matrix(weights[at, -(1:2)]),
    type = "other", scale = {scale}, rscales = rscales, combined.weights = TRUE, mse = {mse}
  )
}}
# design <- replicated(respondents); svyby(~index, ~county, design, svymean, na.rm = TRUE)
"""


@one_blas_thread
def replicate_weights(
    design: SampleDesign,
    *,
    method: Method = "jkn",
    identifier: str | None = None,
    replicates: int = 200,
    seed: int = 1,
) -> ReplicateWeights:
    """Return the weights of every respondent in every replicate, with what R's `svrepdesign` needs beside them.

    The replicates are those behind `estimate(design, variance=method)`: every weighting step is redone in each, so that
    `svrepdesign` gives the same several-step standard errors.

    Parameters
    ----------
    design : SampleDesign
    method : {"jkn", "brr", "fay", "rao-wu"}
        jkn has a replicate for every PSU: with thousands of them the bootstrap's table is much smaller.
    identifier : column, optional
        Tells the respondents apart; None: the table has `row`, 1 .. n in the given order.
    replicates, seed : int
        Of the Rao-Wu bootstrap.

    Returns
    -------
    ReplicateWeights

    Raises
    ------
    EstimatesError
        E101 an unknown identifier, E100 an unknown method, E150, E151 and E382 as `estimate`, E520 a subpopulation, E523 a
        design that holds replicate weights already, E524 a jackknife or half-samples with a replicate that no weights solve,
        E525 a table of more than 200 million weights, E526 an identifier that is missing or stands twice.

    Examples
    --------
    >>> rows = pd.DataFrame({"psu": [1, 1, 2, 3], "w": [2.0, 2.0, 3.0, 3.0]})
    >>> out = sat.replicate_weights(sat.SurveyDesign(rows, psu="psu", base_weight="w"))
    >>> out.table["rep_1"].tolist(), round(out.scale, 4), out.rscales.tolist()
    ([0.0, 0.0, 4.5, 4.5], 0.6667, [1.0, 1.0, 1.0])
    """
    one_of(method, Method, argument="method", error=EstimatesError, code="E100")
    refuse_subpopulation(design, _("Writing replicate weights"), error=EstimatesError, code="E520")
    if design.replicates is not None:
        raise EstimatesError(
            "E523",
            _("The replicate weights of this design came with the data."),
            where="replicate_weights",
            hint=_("Use them as they came."),
        )
    respondents = _respondents(design, identifier)
    everyone = _one_row_each(respondents)
    sample = lay_out(design, everyone)
    options = Options("mean", method, 0.95, "default", "domain", replicates, seed)
    formed = make_replicates(sample, options)
    scale = formed.scale
    numbers = len(respondents) * len(scale)
    if numbers > MOST_NUMBERS:
        raise EstimatesError(
            "E525",
            _("There would be {numbers:,} replicate weights, too many.", numbers=numbers),
            where="method",
            available=("rao-wu",),
            hint=_('Use the bootstrap: method="rao-wu", replicates=200.'),
        )
    unsolved = Unsolved()
    weights = _in_each_replicate(design, sample, formed, respondents=respondents, unsolved=unsolved)
    note = ""
    if unsolved.count:
        _refuse_unsolved(unsolved, method)
        note = unsolved.remark(LEFT_OUT, variance=method)
        weights = weights[:, ~unsolved.failed]
        scale = np.full(weights.shape[1], 1 / weights.shape[1])
    alike = np.ptp(scale) == 0 and scale[0] > 0
    common = float(scale[0]) if alike else 1.0
    rscales = scale / common
    digits = len(str(len(scale)))
    columns = [f"rep_{number:0{digits}d}" for number in range(1, len(scale) + 1)]
    first = pd.DataFrame({ROW_NAME: np.arange(1, len(respondents) + 1)})
    if identifier is not None:
        first = respondents[[identifier]].reset_index(drop=True)
    first[FINAL] = sample.weight
    of_replicates = pd.DataFrame(weights, columns=columns)
    table = pd.concat([first, of_replicates], axis=1)
    conventions = {
        "variance": method,
        "replicates": len(scale),
        "seed": seed if method == "rao-wu" else None,
        "fpc": N_("not credited") if fpc_dropped(design, sample, method) else "credited",
        "weighting": design.weighting.name if design.weighting else "none",
        "note": note,
    }
    return ReplicateWeights(
        table,
        common,
        rscales,
        mse=False,
        identifier=identifier or ROW_NAME,
        conventions=conventions,
    )


def _respondents(design: SampleDesign, identifier: str | None) -> pd.DataFrame:
    """Return what the weights of the respondents depend on, and the identifier, in the given order."""
    keys = [*design.strata, *design.stages, *design.fpc, design.weight_column]
    if design.weighting:
        keys += design.weighting.columns
    if identifier is not None:
        require_columns(
            design.table, [identifier], argument="identifier", error=EstimatesError, code="E101"
        )
        keys.append(identifier)
    wanted = dict.fromkeys([*keys, ROW_NUMBER])
    rows = fetch(with_row_numbers(design).rows().select(*wanted))
    respondents = rows.sort_values(ROW_NUMBER, ignore_index=True)
    if identifier is None:
        return respondents
    repeated = respondents[identifier].isna() | respondents[identifier].duplicated()
    if repeated.any():
        raise EstimatesError(
            "E526",
            _(
                "The identifier '{identifier}' is missing or repeated in {rows}.",
                identifier=identifier,
                rows=ngettext("{n:,} row", "{n:,} rows", int(repeated.sum())),
            ),
            where="identifier",
            got=str(respondents.loc[repeated, identifier].iloc[0]),
            hint=_(
                "Use a column without repeats, or leave `identifier` out: rows are then numbered."
            ),
        )
    return respondents


def _one_row_each(respondents: pd.DataFrame) -> Tally:
    """Return the tally, of no measure, in which every respondent is a row."""
    n = len(respondents)
    nothing = np.zeros((n, 0), dtype=np.int64)
    return Tally(
        keys=respondents,
        n=np.ones(n, dtype=np.int64),
        valid=nothing,
        total=nothing,
        squares=np.zeros((n, 0, 3), dtype=np.int64),
        units=np.zeros(0, dtype=np.int64),
        measures=(),
        exact=True,
    )


def _in_each_replicate(
    design: SampleDesign,
    sample: Sample,
    formed: Replicates,
    *,
    respondents: pd.DataFrame,
    unsolved: Unsolved,
) -> Array:
    """Return the weight of every respondent in every replicate, the recipe replayed: (n, R)."""
    psu = sample.clusters.psu
    replicates = np.arange(len(formed.scale))
    weights = np.empty((len(psu), len(replicates)))
    weighting = design.weighting
    if weighting is not None:
        cell = design.cell_index(respondents)
        counts = sample.base / weighting.start[cell]
        shape = (len(weighting.cells), len(sample.clusters.stratum))
        into_cells = sp.csr_array((counts, (cell, psu)), shape=shape)
    for begin in range(0, len(replicates), CHUNK):
        chosen = replicates[begin : begin + CHUNK]
        factors = formed.factors(chosen)
        weights[:, chosen] = sample.base[:, None] * factors[psu]
        if weighting is not None:
            replayed = Replay(weighting, unsolved).replay(into_cells @ factors)
            weights[:, chosen] *= replayed.factor[cell]
    return weights


def _refuse_unsolved(unsolved: Unsolved, method: Method) -> None:
    """Refuse replicates without weights: any of a jackknife or of half-samples (E524), more than a few of a bootstrap."""
    if method == "rao-wu":
        unsolved.refuse_too_many()
        return
    raise EstimatesError(
        "E524",
        _(
            "{count} replicates have no weights that do what the steps declare; they cannot be exported. Most often: {worst}.",
            count=unsolved.count,
            worst=unsolved.worst,
        ),
        where="method",
        available=("rao-wu",),
        hint=_('Merge that level with a neighbour, widen the bounds, or use method="rao-wu".'),
    )
