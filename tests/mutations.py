"""Faults planted one at a time in the kernels: does a test notice each of them?

    python -m tests.mutations                   all of them, one after the other
    python -m tests.mutations --only variance   those whose place names the word

A fault is a text that stands exactly once in the package and what replaces it, so that it is found wherever
the code has moved to. Tests run on a copy of the package; the checkout is never changed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "satisfaction"


@dataclass(frozen=True)
class Fault:
    """One planted fault.

    Attributes
    ----------
    place : str
        What part of the method it damages, in words.
    old, new : str
        The text, and what stands in its place.
    tests : str
        Files under tests/ that should notice, parted by blanks.
    """

    place: str
    old: str
    new: str
    tests: str


VARIANCE = "sampling/test_variance.py estimation/test_estimates.py whole/test_identities.py sampling/test_design.py"
WEIGHTS = "weighting/test_weights.py whole/test_identities.py"
REPLICATES = "sampling/test_replicates.py estimation/test_estimates.py"
INTERVALS = "estimation/test_estimates_intervals.py estimation/test_estimates.py estimation/test_comparisons.py"
RANKS = "ranking/test_ranking.py ranking/test_ranking_golden.py ranking/test_ranking_lists.py ranking/test_ranking_properties.py"
MEASURES = "sampling/test_measures.py"
RULES = "ranking/test_area_rankings.py"

FAULTS = (
    Fault(
        "ladder: the k-th smallest p-value of n waves",
        "(len(known) - least + 1) * known[least - 1]",
        "known[0]",
        "comparison/test_cycle.py",
    ),
    Fault(
        "ladder: the year ends with this wave",
        "period.number * now.a_year > (now.number - now.a_year) * period.a_year",
        "period.number * now.a_year >= (now.number - now.a_year) * period.a_year",
        "comparison/test_cycle.py",
    ),
    Fault(
        "variance: factor n / (n - 1)",
        "np.where(lone, 0.0, correction)",
        "np.where(lone, 0.0, 1.0)",
        VARIANCE,
    ),
    Fault(
        "variance: fpc of the stage",
        "left = clusters.share * (1 - clusters.fraction)",
        "left = clusters.share * 1.0",
        VARIANCE,
    ),
    Fault(
        "variance: share of the stages above",
        "left = clusters.share * (1",
        "left = 1.0 * (1",
        VARIANCE,
    ),
    Fault(
        "variance: centring in the stratum",
        "return sp.csr_array(totals - by_stratum.T @ means)",
        "return sp.csr_array(totals)",
        VARIANCE,
    ),
    Fault(
        "variance: lonely adjust",
        'if lonely == "adjust":\n        scale',
        'if lonely == "none":\n        scale',
        VARIANCE,
    ),
    Fault(
        "variance: mean of a domain, not weighted",
        "size = sum_by_domain(domain, of_each * valid, domains)",
        "size = sum_by_domain(domain, valid, domains)",
        VARIANCE,
    ),
    Fault(
        "variance: deviation from the domain's mean",
        "(total - estimate[domain] * valid)",
        "(total - estimate.mean() * valid)",
        VARIANCE,
    ),
    Fault(
        "variance: ratio's denominator forgotten",
        "numerator - ratio[domain] * denominator",
        "numerator - ratio.mean() * denominator",
        VARIANCE,
    ),
    Fault(
        "variance: residuals weighted by the wrong weights",
        "inverse_of_margins(self.margins, self.n * self.entering)",
        "inverse_of_margins(self.margins, self.n)",
        f"{VARIANCE} whole/test_reference.py",
    ),
    Fault(
        "variance: only one sweep of rake",
        "SWEEPS = 10 ",
        "SWEEPS = 1 ",
        f"{VARIANCE} whole/test_reference.py",
    ),
    Fault(
        "variance: df counts strata of all",
        "np.diff(psus.indptr) - np.diff(strata.indptr)",
        "np.diff(psus.indptr) - 0 * np.diff(strata.indptr)",
        VARIANCE,
    ),
    Fault(
        "variance: deff of a sample with replacement",
        "if not replacement:\n            not_drawn",
        "if replacement:\n            not_drawn",
        VARIANCE,
    ),
    Fault(
        "weights: raking's slope",
        "free = Distance(np.exp, np.exp)",
        "free = Distance(np.exp, np.ones_like)",
        WEIGHTS,
    ),
    Fault(
        "weights: bounds not kept",
        "np.clip(free.curve(u), low, high)",
        "free.curve(u)",
        WEIGHTS,
    ),
    Fault(
        "weights: logit's range",
        "np.asarray(low + (high - low) * special",
        "np.asarray(low + (high - 1) * special",
        WEIGHTS,
    ),
    Fault(
        "weights: target of zero",
        "np.where(targets != 0, np.abs(targets), instead",
        "np.where(targets >= 0, np.abs(targets), instead",
        WEIGHTS,
    ),
    Fault(
        "weights: classes lose the nonrespondents' weight",
        '"response_rate": float(cells.size[answered].sum() / cells.size.sum())',
        '"response_rate": float(cells.size[answered].sum())',
        f"{WEIGHTS} weighting/test_survey_weighting.py",
    ),
    Fault(
        "weights: feasible bounds rounded inward",
        "np.floor(x / step) + 2 if sign > 0",
        "np.floor(x / step) - 2 if sign > 0",
        WEIGHTS,
    ),
    Fault(
        "weights: cells at a bound not counted",
        "at_low = solution.factor <= low * (1 + 1e-6)",
        "at_low = solution.factor < 0 * low",
        WEIGHTS,
    ),
    Fault(
        "weights: trimmed share",
        "(cells.count * cut).sum() / cells.size.sum()",
        "cut.sum() / cells.size.sum()",
        WEIGHTS,
    ),
    Fault(
        "trimming: one median for all cells",
        "unit_of=cells.groups(bounding),",
        "unit_of=cells.groups(()),",
        "weighting/test_trimming.py",
    ),
    Fault(
        "trimming: a weight once outside takes again",
        "held = ever if self.strict else outside",
        "held = outside",
        "weighting/test_survey45.py",
    ),
    Fault(
        "trimming: where all are trimmed nobody takes the excess",
        "free = np.where(nobody[self.group], movable, inside)",
        "free = inside",
        "weighting/test_trimming.py",
    ),
    Fault(
        "tests: not fitted anew under replicate weights",
        "coefficients[replicate] = again.coefficient",
        "coefficients[replicate] += 0.0",
        "sampling/test_replicate_weights.py",
    ),
    Fault(
        "replicates: weight that leaves its cells is not noticed",
        "kept &= step.kept(count, before, weight)",
        "kept |= step.kept(count, before, weight)",
        "weighting/test_trimming.py",
    ),
    Fault(
        "replicates: what a replicate does not touch is lost",
        "sums[value] += rest[:, value][:, None]",
        "sums[value] += 0 * rest[:, value][:, None]",
        "weighting/test_trimming.py",
    ),
    Fault(
        "replicates: jackknife's factor",
        "factor = np.where(same, size / (size - 1), 1.0)",
        "factor = np.where(same, 1.0, 1.0)",
        REPLICATES,
    ),
    Fault(
        "replicates: jackknife's scale",
        "scale = left * (sizes - 1) / sizes",
        "scale = left",
        REPLICATES,
    ),
    Fault(
        "replicates: Fay's scale",
        "1 / (replicates * (1 - fay) ** 2)",
        "1 / (replicates * (1 - fay))",
        REPLICATES,
    ),
    Fault(
        "replicates: half-samples not balanced",
        "matrix = hadamard(1 << strata.bit_length())",
        "matrix = np.abs(hadamard(1 << strata.bit_length()))",
        REPLICATES,
    ),
    Fault(
        "replicates: bootstrap draws n",
        "random.multinomial(draws,",
        "random.multinomial(size,",
        REPLICATES,
    ),
    Fault(
        "replicates: not centred on their mean",
        "away -= away.sum(axis=0) / np.maximum(counted.sum(axis=0), 1)",
        "away -= away[0]",
        REPLICATES,
    ),
    Fault(
        "replicates: bootstrap's fpc",
        "shrunk = np.sqrt(1 - clusters.fraction[stratum])",
        "shrunk = 1.0",
        REPLICATES,
    ),
    Fault(
        "intervals: one-sided t",
        "special.stdtrit(at_least_one, (1 + level) / 2)",
        "special.stdtrit(at_least_one, level)",
        INTERVALS,
    ),
    Fault("intervals: logit's se", "se / (safe * (1 - safe))", "se / safe", INTERVALS),
    Fault(
        "intervals: Korn-Graubard's df",
        "n_effective * (at_n / at_df) ** 2",
        "n_effective * (at_df / at_n) ** 2",
        INTERVALS,
    ),
    Fault(
        "intervals: Wilson's centre",
        "centre = share + to_half * (0.5 - share)",
        "centre = share",
        INTERVALS,
    ),
    Fault(
        "intervals: likelihood's dispersion",
        "n_effective * np.maximum(n - 1, 0)",
        "n_effective * np.maximum(n, 0)",
        INTERVALS,
    ),
    Fault(
        "intervals: effective size",
        "share * (1 - share) / safe_se**2",
        "share * (1 - share) / safe_se",
        INTERVALS,
    ),
    Fault(
        "estimates: covariance of an index by area",
        "(whole @ estimates.cov)",
        "(whole @ np.diag(np.diag(estimates.cov)))",
        "estimation/test_index.py whole/test_pipeline.py",
    ),
    Fault(
        "estimates: rates enter an index as points",
        "POINTS if measure in questionnaire.rates else 1.0",
        "1.0 if measure in questionnaire.rates else 1.0",
        "estimation/test_index.py whole/test_pipeline.py",
    ),
    Fault(
        "estimates: overall deff below 1", "np.maximum(deff, 1.0), 1.0)", "deff, 1.0)", INTERVALS
    ),
    Fault(
        "estimates: deff of a total",
        'scale = full.size**2 if options.kind == "total" else 1.0',
        "scale = 1.0",
        "estimation/test_estimates.py whole/test_reference.py",
    ),
    Fault(
        "measures: rounding half up",
        "(numerator * (2 * BILLIONTH) + divisor) // (divisor * 2)",
        "(numerator * (2 * BILLIONTH)) // (divisor * 2)",
        MEASURES,
    ),
    Fault(
        "measures: fewer valid items than asked for",
        "flag(_sum(present) >= least)",
        "flag(_sum(present) > 0)",
        MEASURES,
    ),
    Fault(
        "measures: no answer kept in",
        'if ways["no_answer"] == "in":',
        'if ways["no_answer"] == "never":',
        MEASURES,
    ),
    Fault(
        "measures: skipped kept in",
        'if ways["skipped"] == "in":',
        'if ways["skipped"] == "never":',
        MEASURES,
    ),
    Fault(
        "measures: a wrong option does not count",
        "return (rights - wrongs) * flag(rights > wrongs), len(right)",
        "return rights, len(right)",
        MEASURES,
    ),
    Fault(
        "measures: wrong options allowed",
        "len(right)) * flag(wrongs <= 0)",
        "len(right)) * flag(wrongs <= 99)",
        MEASURES,
    ),
    Fault(
        "measures: asked by a skip rule",
        "{valid: answered * asked",
        "{valid: answered",
        MEASURES,
    ),
    Fault(
        "pairs: ties",
        "difference[np.abs(difference) < TIE] = 0.0",
        "difference[np.abs(difference) < 0] = 0.0",
        RANKS,
    ),
    Fault(
        "pairs: covariance of a difference",
        "variance[:, None] + variance - 2 * cov, 0.0",
        "variance[:, None] + variance, 0.0",
        f"{RANKS} ranking/test_ranking_change.py",
    ),
    Fault(
        "pairs: Satterthwaite",
        "errors = variance**2 / df",
        "errors = variance**2",
        RANKS,
    ),
    Fault(
        "pairs: z in place of t",
        "below = special.stdtr(df[row, column], -size)",
        "below = special.ndtr(-size)",
        RANKS,
    ),
    Fault(
        "sets: Simes at alpha",
        "better = count_false(pairs.other_better, alpha / 2)",
        "better = count_false(pairs.other_better, alpha)",
        RANKS,
    ),
    Fault(
        "sets: Simes' steps",
        "steps = alpha * (place - first) / np.maximum(size[:, None], 1)",
        "steps = alpha * place / np.maximum(size[:, None], 1)",
        RANKS,
    ),
    Fault(
        "sets: Holm never stops",
        "np.minimum(np.maximum.accumulate(steps, axis=-1), 1.0)",
        "np.minimum(steps, 1.0)",
        RANKS,
    ),
    Fault(
        "sets: Holm's steps",
        "hypotheses_left = tested - np.arange(p.shape[-1])",
        "hypotheses_left = 1 + np.arange(p.shape[-1])",
        RANKS,
    ),
    Fault(
        "sets: Tukey's range for a difference", "df)[of_unit] / np.sqrt(2)", "df)[of_unit]", RANKS
    ),
    Fault(
        "sets: Tukey's average of two units",
        "share * quantile[:, None] + (1 - share) * quantile",
        "np.minimum(quantile[:, None], quantile)",
        "ranking/test_ranking.py ranking/test_ranking_reference.py",
    ),
    Fault(
        "sets: joint intervals",
        "miss = -np.expm1(np.log1p(-alpha) / p) if pairs.independent",
        "miss = alpha if pairs.independent",
        RANKS,
    ),
    Fault(
        "sets: ranks from the wrong side",
        "RankSets(1 + better.sum(axis=0), len(better) - better.sum(axis=1)",
        "RankSets(1 + better.sum(axis=1), len(better) - better.sum(axis=0)",
        RANKS,
    ),
    Fault(
        "membership: smallest p-values",
        "largest = np.sort(p_values, axis=1)[:, count - 1 :]",
        "largest = np.sort(p_values, axis=1)[:, count:]",
        RANKS,
    ),
    Fault(
        "membership: Simes' factor",
        "simes: Floats = np.min(largest * size /",
        "simes: Floats = np.min(largest /",
        RANKS,
    ),
    Fault(
        "membership: Bonferroni for dependent units",
        "return simes if independent else bonferroni",
        "return simes",
        RANKS,
    ),
    Fault(
        "membership: nothing proven without a design",
        "if provable:",
        "if True:",
        f"{RANKS} {RULES}",
    ),
    Fault(
        "membership: the list's own test",
        "return min(1.0, 2 * closest + pairs.spent)",
        "return min(1.0, closest + pairs.spent)",
        RANKS,
    ),
    Fault(
        "membership: tied at the cut",
        "listed = competition_rank(pairs) > len(pairs.score) - bottom",
        "listed = competition_rank(pairs) >= len(pairs.score) - bottom",
        RANKS,
    ),
    Fault(
        "probability: ML in place of REML",
        'float(slope + explained if likelihood == "reml" else slope)',
        "float(slope)",
        RANKS,
    ),
    Fault(
        "probability: reliability",
        "reliability = tau2 / total",
        "reliability = tau2 / np.sqrt(total)",
        RANKS,
    ),
    Fault(
        "probability: expected rank",
        "ahead * weight, axis=1)\n    return total + 0.5",
        "ahead * weight, axis=1)\n    return total",
        RANKS,
    ),
    Fault(
        "probability: the unit counts itself",
        '        few[unit] = np.einsum("kb,kb->b", before[unit], at_most[::-1])\n'
        "        at_most = one_more(at_most, ahead[unit])\n",
        "        at_most = one_more(at_most, ahead[unit])\n"
        '        few[unit] = np.einsum("kb,kb->b", before[unit], at_most[::-1])\n',
        RANKS,
    ),
    Fault(
        "probability: one fewer place",
        "few_ahead(-self.mean, self.sd, places)",
        "few_ahead(self.mean, self.sd, places)",
        RANKS,
    ),
    Fault("rules: rounding half to even", "quantize(step, ROUND_HALF_UP)", "quantize(step)", RULES),
    Fault("rules: rounded from the bits", 'f"{score:.{PUBLISHED}g}"', 'f"{score:.17g}"', RULES),
    Fault(
        "figures: what is small",
        '\nSMALL = 0.001\n"""A probability',
        '\nSMALL = 0.01\n"""A probability',
        "publication/test_sentences.py publication/test_reading.py",
    ),
    Fault(
        "fieldwork: error of a median", "np.pi / 2", "1.0", "fieldwork/test_fieldwork_compare.py"
    ),
)


def planted(fault: Fault, copy: Path) -> Path:
    """Plant a fault in a copy of the package; return the module it stands in."""
    holding = [path for path in copy.rglob("*.py") if fault.old in path.read_text(encoding="utf-8")]
    if len(holding) != 1:
        raise SystemExit(f"{fault.place}: the text stands in {len(holding)} modules: {fault.old!r}")
    module = holding[0]
    content = module.read_text(encoding="utf-8")
    if content.count(fault.old) != 1:
        raise SystemExit(
            f"{fault.place}: the text stands {content.count(fault.old)} times in {module.name}"
        )
    module.write_text(content.replace(fault.old, fault.new), encoding="utf-8")
    return module


def noticed(fault: Fault) -> bool:
    """Run the tests of a fault on a package that has it."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "satisfaction"
        shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        planted(fault, copy)
        files = [str(ROOT / "tests" / name) for name in fault.tests.split()]
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *files]
        environment = os.environ | {"PYTHONPATH": scratch}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{fault.place}: the tests did not run: {done.stdout[-500:]!r}")
    return done.returncode == 1


def main() -> None:
    """Plant the faults one after the other and say which were noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="a word of the place")
    parser.add_argument("--list", action="store_true", help="only check that every text is there")
    asked = parser.parse_args()
    chosen = [fault for fault in FAULTS if asked.only in fault.place]
    survived = []
    for fault in chosen:
        if asked.list:
            continue
        killed = noticed(fault)
        print(f"{'noticed ' if killed else 'SURVIVED'}  {fault.place}", flush=True)
        if not killed:
            survived.append(fault.place)
    if asked.list:
        with tempfile.TemporaryDirectory() as scratch:
            for number, fault in enumerate(chosen):
                copy = Path(scratch) / str(number)
                shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
                planted(fault, copy)
        print(f"{len(chosen)} faults: every text stands once")
        return
    print(f"{len(chosen) - len(survived)} of {len(chosen)} faults were noticed")
    sys.exit(1 if survived else 0)


if __name__ == "__main__":
    main()
