"""Quota and open-link samples laid over what is known of the population: estimates under a model, and sensitivity.

The formulas stand in `selection_model` and `sensitivity`; here rows and margins become their arrays, and whatever has no
answer gets a note in place of a figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import numpy as np
import pandas as pd
from scipy.special import expit, ndtri

from satisfaction.estimation.sample import numbered
from satisfaction.estimation.selection_model import (
    WEAK,
    ModelEstimates,
    Moments,
    Propensities,
    Propensity,
    Reference,
    ReferenceSample,
    SelectionMethod,
    Sensitivity,
    model_estimates,
    propensities,
    sensitivity_of_mean,
    sensitivity_of_share,
)
from satisfaction.foundation.engines import fetch, one_blas_thread
from satisfaction.foundation.errors import EstimatesError, one_of, require_names, shortened
from satisfaction.foundation.language import N_, NOTHING, Text, _
from satisfaction.sampling.design import SampleDesign, level_tuple, level_tuples, named
from satisfaction.sampling.variance import Array, Clusters, LonelyPsu
from satisfaction.weighting.calibration import Margins, as_margins, margin_columns

METHODS: tuple[SelectionMethod, ...] = get_args(SelectionMethod)
AGREE = 1e-6
"""Relative difference of the margins' totals up to which they are of the same population."""
PERSON = "_person"
PHI_COLUMNS = ("phi_0", "phi_05", "phi_1")
NO_SOLUTION = _("no chances of answering between 0 and 1 fit these margins")
TOO_FEW = _("too few valid answers for these margins")
NO_BOUND = _(
    "the margins hardly predict this answer: with phi = 1 there is no bound, so no range is given"
)
WEAK_PROXY = _(
    "weak proxy (correlation below {weak:g}): the figures say little of what the margins do not see",
    weak=WEAK,
)


@dataclass(frozen=True, slots=True, repr=False)
class OpenSample:
    """Respondents who were not drawn, and the totals of their covariates in the population.

    Attributes
    ----------
    value, valid : (n, M)
        Values (0-1 or points; 0 where not valid) and whether they are valid.
    x : (n, K)
        Covariates of full column rank, the constant first.
    reference : Reference
        Their totals in the population, and the probability sample that these come from, where they do.
    fault : Text
        Why there can be no figures; empty where there is no reason.
    kept : (K,) int
        Places of the covariates among the constant and the indicators of all levels.
    """

    value: Array
    valid: Array
    x: Array
    reference: Reference
    fault: Text = NOTHING
    kept: Array = field(default_factory=lambda: np.zeros(0, dtype=int))

    def propensities(self, method: Propensity | None = None) -> Propensities | None:
        """Return the chances of answering: that meet known totals, or the most likely ones beside a probability sample.

        Sensitivity needs those that meet the totals ("calibrated").
        """
        if self.fault:
            return None
        if method is None:
            method = "calibrated" if self.reference.sample is None else "likelihood"
        return propensities(self.x, self.reference, method=method)

    def enough(self, measure: int) -> bool:
        """Tell whether a measure has more valid answers than there are covariates."""
        answers = self.valid[:, measure].sum()
        return bool(answers > self.x.shape[1])

    def estimates(
        self, method: SelectionMethod, fitted: Propensities | None
    ) -> ModelEstimates | Text:
        """Return the estimates of all measures, or why there are none."""
        if self.fault:
            return self.fault
        if method != "calibration" and fitted is None:
            return NO_SOLUTION
        with np.errstate(divide="ignore", invalid="ignore"):  # a measure without answers is nan
            return model_estimates(
                self.value,
                self.valid,
                self.x,
                reference=self.reference,
                method=method,
                fitted=fitted,
            )

    def sensitivity(self, measure: int, fitted: Propensities | None) -> Sensitivity | Text:
        """Return the sensitivity of one measure, or why there is none: MUBP where its values are 0 and 1, else SMUB."""
        inside = self.valid[:, measure]
        value = self.value[inside, measure]
        if self.fault:
            return self.fault
        if not self.enough(measure):
            return TOO_FEW
        if np.ptp(value) == 0:
            return _("all valid answers are the same")
        z = self.x[inside, 1:]
        totals = self.reference.totals
        if not np.isin(value, (0, 1)).all():
            return sensitivity_of_mean(value, z, totals[1:] / totals[0])
        if fitted is None:
            return NO_SOLUTION
        # of those who did not answer: their means follow from the totals; how covariates go together there, which margins
        # do not tell, from the respondents weighted by 1 / chance - 1
        weight = 1 / fitted.chance - 1
        covariates = self.x[:, 1:]
        mean = weight @ covariates / weight.sum()
        centred = covariates - mean
        cov = (centred.T * weight) @ centred / weight.sum()
        return sensitivity_of_share(value, z, Moments(float(totals[0]), mean, cov))


def lay_out_open_sample(
    respondents: pd.DataFrame, measures: Sequence[str], margins: Margins
) -> OpenSample:
    """Lay respondents over margins.

    Raises
    ------
    EstimatesError
        E527 columns that are not there, E528 margins that are none, or disagree on the number of residents, E529 respondents
        whose level a margin does not know.
    """
    margins = as_margins(margins)
    not_there = N_("The respondents have no column '{name}'.")
    hint = _("Name columns of the table.")
    require_names(
        [*measures, *margin_columns(margins)],
        respondents,
        EstimatesError,
        code="E527",
        text=not_there,
        where="respondents",
        hint=hint,
    )
    size = _residents(margins)
    levels = _levels_of(margins)
    x = _indicators(respondents, levels)
    totals = np.array([size, *(level.residents for level in levels)])
    values = respondents[list(measures)].to_numpy(float, na_value=np.nan)
    valid = np.isfinite(values)
    sample = OpenSample(np.where(valid, values, 0.0), valid, x, Reference(totals))
    _refuse_strange(respondents, margins)
    absent = [level for level, column in zip(levels, x.T[1:], strict=True) if not column.any()]
    if absent:
        nobody = _(
            "nobody of {margin} = {level} answered",
            margin=" x ".join(absent[0].columns),
            level=shortened(absent[0].key),
        )
        return replace(sample, fault=nobody)
    # the first level of every margin is what the others leave
    others = [place for place, level in enumerate(levels, start=1) if not level.first]
    columns = np.array([0, *others])
    if len(x) <= len(columns):
        return replace(sample, fault=TOO_FEW)
    kept = _independent(x, columns)
    left_out = np.setdiff1d(columns, kept)
    if len(left_out):
        # their totals must follow from the others as the columns do
        slopes = np.linalg.lstsq(x[:, kept], x[:, left_out], rcond=None)[0]
        if not np.allclose(totals[kept] @ slopes, totals[left_out], rtol=AGREE):
            return replace(sample, fault=NO_SOLUTION)
    return replace(sample, x=x[:, kept], reference=Reference(totals[kept]), kept=kept)


def _residents(margins: Margins) -> float:
    """Return how many residents margins by level are of; E528 where they do not agree."""
    sizes = [
        float(sum(of_margin.values()))
        for of_margin in margins.values()
        if isinstance(of_margin, Mapping)
    ]
    unlike = not sizes or max(sizes) - min(sizes) > AGREE * max(sizes)
    if unlike or len(sizes) < len(margins) or min(sizes) <= 0:
        shown = shortened([f"{size:,.0f}" for size in sizes]) or "-"
        raise EstimatesError(
            "E528",
            _("The margins do not give one number of residents: {sizes}.", sizes=shown),
            where="margins",
            available=("{item: {level: population}}",),
            hint=_("Give populations by level, from the same source and date."),
        )
    return sizes[0]


def _refuse_strange(respondents: pd.DataFrame, margins: Margins) -> None:
    """Refuse (E529) respondents of levels that a margin has no residents for."""
    for margin, of_margin in margins.items():
        assert isinstance(of_margin, Mapping)
        known = {level_tuple(level) for level, n in of_margin.items() if n > 0}
        strange = set(level_tuples(respondents, named(margin))) - known
        if strange:
            raise EstimatesError(
                "E529",
                _(
                    "Respondents have levels that margin {margin} has no residents for: {levels}.",
                    margin=" x ".join(named(margin)),
                    levels=shortened(sorted(map(str, strange))),
                ),
                where="margins",
                available=of_margin,
                hint=_("Complete the margin, or leave these respondents out."),
            )


def _independent(x: Array, columns: Array) -> Array:
    """Return those of some columns of x that do not follow from the ones before them."""
    chosen = x[:, columns]
    triangle = np.linalg.qr(chosen, mode="r")
    scale = np.sqrt((chosen**2).sum(axis=0))
    return np.asarray(columns[np.abs(np.diag(triangle)) > 1e-9 * np.maximum(scale, 1.0)])


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DrawnPeople:
    """Persons of a probability sample, R of them, with a weight above 0.

    Attributes
    ----------
    table : DataFrame
        Their columns, R rows.
    weight : (R,)
    clusters : Clusters
        All PSUs of the sample, whoever of them is here; `psu` is that of the persons.
    lonely_psu : str
    """

    table: pd.DataFrame
    weight: Array
    clusters: Clusters
    lonely_psu: LonelyPsu = "fail"

    def within(self, inside: Array) -> DrawnPeople:
        """Keep the persons that (R,) bool tells; every PSU of their strata keeps counting."""
        clusters = replace(self.clusters, psu=self.clusters.psu[inside])
        table = self.table[inside].reset_index(drop=True)
        return DrawnPeople(table, self.weight[inside], clusters, self.lonely_psu)


def drawn_people(reference: SampleDesign, columns: Sequence[str]) -> DrawnPeople:
    """Return the respondents of a probability sample with some columns.

    Final weights are taken as they are, PSUs as drawn with replacement.

    Raises
    ------
    EstimatesError
        E531 a reference that is no probability sample.
    """
    if reference.selection != "probability":
        raise EstimatesError(
            "E531",
            _("The reference is no probability sample."),
            where="reference",
            available=("selection: probability",),
            got=reference.selection,
            hint=_("Use margins, or a wave that was drawn."),
        )
    wanted = dict.fromkeys([*reference.strata, *reference.psu[:1], *columns])
    rows = fetch(reference.rows().select(*wanted))
    keys = rows.assign(**{PERSON: np.arange(len(rows))})
    psu_column = reference.psu[0] if reference.psu else PERSON
    psu, names = numbered(keys, [*reference.strata, psu_column])
    stratum = np.zeros(len(names), dtype=int)
    if reference.strata:
        stratum = numbered(names, list(reference.strata))[0]
    strata = int(stratum.max()) + 1
    clusters = Clusters(psu, stratum, np.zeros(strata), np.ones(strata))
    everybody = DrawnPeople(rows, reference.weights, clusters, reference.lonely_psu)
    return everybody.within(reference.weights > 0)


def lay_over_people(
    respondents: pd.DataFrame, measures: Sequence[str], people: DrawnPeople, *, by: Sequence[str]
) -> OpenSample:
    """Lay respondents over people who were drawn from the same population.

    Raises
    ------
    EstimatesError
        E527, E529 as `lay_out_open_sample`.
    """
    weight = people.weight
    margins: dict[str | tuple[str, ...], Any] = {}
    for name in by:
        level = people.table[name].to_numpy()
        population = pd.Series(weight).groupby(level).sum()
        margins[name] = population.to_dict()
    sample = lay_out_open_sample(respondents, measures, margins)
    if sample.fault:
        return sample
    levels = _levels_of(margins)
    x = _indicators(people.table, levels)[:, sample.kept]
    drawn = ReferenceSample(x, weight, people.clusters, people.lonely_psu)
    return replace(sample, reference=Reference.of(drawn))


@dataclass(frozen=True, slots=True)
class _Level:
    """One level of a margin, which `margin` numbers."""

    margin: int
    columns: tuple[str, ...]
    key: tuple[Any, ...]
    residents: float
    first: bool


def _levels_of(margins: Margins) -> list[_Level]:
    """Return the populated levels of all margins."""
    levels = []
    for number, (margin, of_margin) in enumerate(margins.items()):
        assert isinstance(of_margin, Mapping)
        populated = {level: float(n) for level, n in of_margin.items() if n > 0}
        for position, (level, residents) in enumerate(populated.items()):
            key = level_tuple(level)
            levels.append(_Level(number, named(margin), key, residents, position == 0))
    return levels


def _indicators(rows: pd.DataFrame, levels: Sequence[_Level]) -> Array:
    """Return the constant and an indicator of every level: (n, 1 + levels)."""
    place = {(level.margin, level.key): at for at, level in enumerate(levels, start=1)}
    x = np.zeros((len(rows), 1 + len(levels)))
    x[:, 0] = 1.0
    for margin, columns in dict.fromkeys((level.margin, level.columns) for level in levels):
        keys = level_tuples(rows, columns)
        at = [place.get((margin, key), 0) for key in keys]
        x[np.arange(len(rows)), at] = 1.0  # of no level: the constant once more
    return x


def limits_under_model(mean: float, se: float, *, level: float, share: bool) -> tuple[float, float]:
    """Return normal limits of a model's estimate, of a share on the logit scale; nan where the se is 0 or missing."""
    z = float(ndtri((1 + level) / 2))
    if not se > 0:
        return np.nan, np.nan
    if not share:
        return mean - z * se, mean + z * se
    if not 0 < mean < 1:
        return np.nan, np.nan
    centre = np.log(mean / (1 - mean))
    width = z * se / (mean * (1 - mean))
    low, high = expit([centre - width, centre + width])
    return float(low), float(high)


@one_blas_thread
def selection_estimates(
    respondents: pd.DataFrame,
    measures: str | Sequence[str],
    margins: Margins | None = None,
    *,
    reference: SampleDesign | None = None,
    by: str | Sequence[str] = (),
    methods: Sequence[SelectionMethod] = METHODS,
    level: float = 0.95,
) -> pd.DataFrame:
    """Estimate means from people who were not drawn (quota, open link) under a model of who answers.

    Parameters
    ----------
    respondents : DataFrame
        One row a person.
    measures : str or sequence of str
        Numeric columns; missing is not valid and leaves the base.
    margins : mapping, optional
        Populations by level, as `calibrate` takes them: {"sex": {1: 480, 2: 520}, ...}.
    reference : SampleDesign, optional
        In place of margins: a probability sample of the same population that asked for the columns `by`, with its weights. Its
        sampling error enters the model's.
    by : column or list of columns
        Covariates, with a reference.
    methods : sequence of {"calibration", "inverse_propensity", "doubly_robust"}
        Prediction by a linear model of the answers (GREG with weights of one); weights 1 / chance of answering, which meet
        the margins (beside a reference sample: the most likely ones); both. With margins the last two give the same number.
    level : float
        Of the limits.

    Returns
    -------
    DataFrame
        A row a measure and model: measure, model, estimate_model, se_model, ci_model_low, ci_model_high, n (valid answers),
        note (why there is no figure). The standard error is the model's: it holds if people of the same levels answer
        whatever they think, independently of each other. Nothing in the data tells whether they do; see `sensitivity`.

    Raises
    ------
    EstimatesError
        E527 a column that is not there, E528 margins that disagree, E529 levels a margin does not know, E530 an unknown
        method, E531 a reference that is no probability sample, E532 neither or both of margins and reference.

    Notes
    -----
    Chen, Li and Wu (2020); Kim, Park, Chen and Wu (2021). Limits are normal, of shares on the logit scale.

    Examples
    --------
    >>> people = pd.DataFrame({"sex": [1, 1, 1, 2, 2, 1], "score": [60, 80, 70, 90, 80, 75]})
    >>> margins = {"sex": {1: 480, 2: 520}}
    >>> found = sat.selection_estimates(people, "score", margins, methods=["calibration"])
    >>> found[["measure", "model", "estimate_model", "se_model", "n"]].round(2)
      measure        model  estimate_model  se_model  n
    0   score  calibration            78.4      2.56  6
    """
    for method in methods:
        one_of(method, METHODS, argument="methods", error=EstimatesError, code="E530")
    names = named(measures)
    if (margins is None) == (reference is None) or (reference is None) != (not by):
        raise EstimatesError(
            "E532",
            _("Either margins are needed, or a reference with its columns `by`."),
            where="margins",
            available=("margins={...}", "reference=design, by=[...]"),
            hint=_("Write one of the two."),
        )
    if margins is not None:
        sample = lay_out_open_sample(respondents, names, margins)
    else:
        assert reference is not None
        people = drawn_people(reference, named(by))
        sample = lay_over_people(respondents, names, people, by=named(by))
    rows = []
    for method, estimates in estimates_by_method(sample, methods).items():
        for position, name in enumerate(names):
            figures = model_figures(sample, estimates, position, level=level)
            note = str(figures["note"])
            rows.append({"measure": name, "model": method} | figures | {"note": note})
    return pd.DataFrame(rows)


def estimates_by_method(
    sample: OpenSample, methods: Sequence[SelectionMethod]
) -> dict[SelectionMethod, ModelEstimates | Text]:
    """Return the estimates of every method, or why it has none."""
    fitted = sample.propensities()
    return {method: sample.estimates(method, fitted) for method in methods}


def model_figures(
    sample: OpenSample, estimates: ModelEstimates | Text, measure: int, *, level: float
) -> dict[str, Any]:
    """Return the figures of one measure: estimate_model, se_model, ci_model_low, ci_model_high, n, note."""
    values = sample.value[sample.valid[:, measure], measure]
    n = len(values)
    if isinstance(estimates, Text):
        return figures_under_model(np.nan, np.nan, n, level=level, note=estimates)
    if not sample.enough(measure):
        return figures_under_model(np.nan, np.nan, n, level=level, note=TOO_FEW)
    is_share = bool(n and values.min() >= 0 and values.max() <= 1)
    mean = float(estimates.mean[measure])
    se = float(estimates.se[measure])
    return figures_under_model(mean, se, n, level=level, share=is_share)


def figures_under_model(
    mean: float, se: float, n: int, *, level: float, share: bool = False, note: Text = NOTHING
) -> dict[str, Any]:
    """Return a row of figures under a model."""
    low, high = limits_under_model(mean, se, level=level, share=share)
    figures = {"estimate_model": mean, "se_model": se, "ci_model_low": low, "ci_model_high": high}
    return figures | {"n": n, "note": note}


@one_blas_thread
def sensitivity(
    respondents: pd.DataFrame, measures: str | Sequence[str], margins: Margins
) -> pd.DataFrame:
    """Say how far means and shares from people who were not drawn may be off, if answering depends on the answer.

    Parameters
    ----------
    respondents, measures, margins
        As `selection_estimates`.

    Returns
    -------
    DataFrame
        A row a measure: measure, estimate_answered (of those who answered, unweighted), phi_0, phi_05, phi_1 (what it would
        be if none, half, all of the difference lay in the answer itself), proxy_correlation (0-1, of the answer with its best
        prediction from the margins; biserial for shares), n, note. No sampling error is claimed.

    Raises
    ------
    EstimatesError
        E527, E528, E529 as `selection_estimates`.

    Notes
    -----
    Means: SMUB (Little, West, Boonstra and Hu 2020); 0/1 values: MUBP (Andridge and others 2019). Where the margins do not
    predict the answer (F test, 5%) phi = 1 has no bound and stays empty. Sex and age alone are weak proxies.

    Examples
    --------
    >>> people = pd.DataFrame({"sex": [1, 1, 1, 2, 2, 1], "score": [60, 80, 70, 90, 80, 75]})
    >>> found = sat.sensitivity(people, "score", {"sex": {1: 480, 2: 520}})
    >>> found.drop(columns="note").round(2)
      measure  estimate_answered  phi_0  phi_05  phi_1  proxy_correlation  n
    0   score              75.83   78.4   79.52    NaN                0.7  6
    """
    names = named(measures)
    sample = lay_out_open_sample(respondents, names, margins)
    fitted = sample.propensities()
    rows = []
    for position, name in enumerate(names):
        figures = sensitivity_figures(sample, sample.sensitivity(position, fitted), position)
        rows.append({"measure": name} | figures | {"note": str(figures["note"])})
    return pd.DataFrame(rows)


def sensitivity_figures(
    sample: OpenSample, result: Sensitivity | Text, measure: int
) -> dict[str, Any]:
    """Return the figures of one measure: estimate_answered, phi_0, phi_05, phi_1, proxy_correlation, n, note."""
    values = sample.value[sample.valid[:, measure], measure]
    answered = float(values.mean()) if len(values) else np.nan
    figures: dict[str, Any] = {"estimate_answered": answered}
    if isinstance(result, Text):
        figures |= dict.fromkeys(PHI_COLUMNS, np.nan)
        return figures | {"proxy_correlation": np.nan, "n": len(values), "note": result}
    figures |= dict(zip(PHI_COLUMNS, result.adjusted, strict=True))
    note = NOTHING
    if not result.bounded:
        note = NO_BOUND
    elif result.correlation < WEAK:
        note = WEAK_PROXY
    return figures | {"proxy_correlation": result.correlation, "n": len(values), "note": note}
