"""Recompute nonprob.json with numpy alone, and say what agrees.

usage: python check_nonprob.py DIR EXPECTED.json [OUT.json]
OUT.json gets, per sample and outcome, `se_linearised`: the standard errors of the inverse-propensity
estimators from the influence function (the package's own are wrong, see ../README.md).
"""

# ruff: noqa: B023 (variance() is called in the iteration that defines it)

import csv
import json
import sys
from pathlib import Path

import numpy as np


def read(path):
    rows = list(csv.DictReader(path.read_text().splitlines()))
    x = np.column_stack(
        [
            np.ones(len(rows)),
            [r["x1"] == "b" for r in rows],
            [r["x1"] == "c" for r in rows],
            [r["x2"] == "m" for r in rows],
            [float(r["x3"]) for r in rows],
        ]
    ).astype(float)
    return rows, x


def root(equations, start):
    theta = start
    for _ in range(100):
        value, slope = equations(theta)
        step = np.linalg.solve(slope, value)
        theta = theta - step
        if np.max(np.abs(step)) < 1e-13:
            break
    return theta


def expit(v):
    return 1 / (1 + np.exp(-v))


def design_variance(total, stratum, cluster):
    """With-replacement variance of the sum of `total` over strata and clusters."""
    out = 0
    for h in np.unique(stratum):
        t = np.array([total[cluster == c].sum() for c in np.unique(cluster[stratum == h])])
        out += len(t) / (len(t) - 1) * np.sum((t - t.mean()) ** 2)
    return out


def fit_outcome(x, y, binary):
    if not binary:
        return np.linalg.solve(x.T @ x, x.T @ y)
    return root(
        lambda b: (x.T @ (y - expit(x @ b)), -(x.T * (expit(x @ b) * (1 - expit(x @ b)))) @ x),
        np.zeros(x.shape[1]),
    )


def estimates(x, y, xp, d, stratum, cluster, totals, binary):
    n, k = x.shape
    size = d.sum()
    start = np.zeros(k)
    start[0] = np.log(n / size)
    mle = root(
        lambda t: (
            x.sum(0) - xp.T @ (d * expit(xp @ t)),
            -(xp.T * (d * expit(xp @ t) * (1 - expit(xp @ t)))) @ xp,
        ),
        start,
    )

    def cal(target):
        return root(
            lambda t: (x.T @ (1 + np.exp(-x @ t)) - target, -(x.T * np.exp(-x @ t)) @ x), mle
        )

    gee, pop = cal(xp.T @ d), cal(totals)
    beta = fit_outcome(x, y, binary)
    link = expit if binary else (lambda v: v)
    slope = (lambda v: expit(v) * (1 - expit(v))) if binary else np.ones_like
    m, mp = link(x @ beta), link(xp @ beta)
    out = {}
    for name, theta in {"ipw_mle": mle, "ipw_gee1": gee, "ipw_totals": pop}.items():
        p = expit(x @ theta)
        big = totals[0] if name == "ipw_totals" else size
        pp = expit(xp @ theta)
        for tag, z, denominator in (
            ("", y, big),
            ("hajek", y - np.sum(y / p) / np.sum(1 / p), np.sum(1 / p)),
        ):
            grad = ((1 - p) / p * z) @ x
            if name == "ipw_mle":
                info, pull, own = (xp.T * (d * pp * (1 - pp))) @ xp, pp[:, None] * xp, 1.0
            else:
                info, pull, own = (x.T * ((1 - p) / p)) @ x, xp, 1 / p
            b = np.linalg.solve(info, grad)
            part = np.zeros(len(d)) if name == "ipw_totals" else d * (pull @ b)
            se = (
                np.sqrt(
                    np.sum((1 - p) * (z / p - own * (x @ b)) ** 2)
                    + design_variance(part, stratum, cluster)
                )
                / denominator
            )
            out.setdefault(name, {})["se_linearised" + ("_hajek" if tag else "")] = se
            if not tag:
                # as the package has it: b with the opposite sign, and the weights of two of the three blocks exchanged
                w11 = (1 - p) / p if name == "ipw_mle" else (1 - p) / p**2
                v = np.sum(w11 * y**2) + 2 * b @ ((w11 * y) @ x) + b @ ((x.T * (w11 * p)) @ x) @ b
                v += design_variance(part, stratum, cluster)
                out[name] |= {
                    "mean": np.sum(y / p) / big,
                    "se_package": np.sqrt(v) / big,
                    "hajek": np.sum(y / p) / np.sum(1 / p),
                    "theta": theta.tolist(),
                }

    def mean_variance(v):
        c = np.sum(d * v) / size
        return design_variance(d * (v - c) / size, stratum, cluster)

    centre = np.sum(d * mp) / size
    mx = (d * slope(xp @ beta)) @ xp / size
    c = np.linalg.solve((x.T * slope(x @ beta)) @ x / n, mx)
    out["mi"] = {
        "mean": centre,
        "se_package": np.sqrt(mean_variance(mp) + np.sum((y - m) ** 2 * (x @ c) ** 2) / n**2),
    }
    eta = totals @ beta / totals[0]
    mx = totals / totals[0] * slope(eta)
    c = np.linalg.solve((x.T * slope(x @ beta)) @ x / n, mx)
    out["mi_totals"] = {
        "mean": link(eta),
        "se_package": np.sqrt(np.sum((y - m) ** 2 * (x @ c) ** 2)) / n,
    }
    for name, theta in {"dr_mle": mle, "dr_gee1": gee, "dr_totals": pop}.items():
        p, pp = expit(x @ theta), expit(xp @ theta)
        big, base = (totals[0], link(eta)) if name == "dr_totals" else (size, centre)
        r = y - m - np.sum(y - m) / big

        def variance(p):
            if name == "dr_mle":
                b = np.linalg.solve((xp.T * (d * pp * (1 - pp))) @ xp, ((1 - p) / p * r) @ x)
                own, t = np.sum((1 - p) * (r / p - x @ b) ** 2), pp * (xp @ b) + mp
            else:
                info = (x.T * np.exp(-x @ theta)) @ x
                b = np.linalg.solve(info, ((1 - p) / p * r) @ x)
                own, t = np.sum((1 - p) * ((r - x @ b) / p) ** 2), xp @ b + mp
            return own / big**2 + (0 if name == "dr_totals" else mean_variance(t))

        # the package joins (open, probability) scores but picks rows as if they were (probability, open)
        shifted = p if name == "dr_totals" else np.concatenate([p, pp])[len(d) :]
        out[name] = {
            "mean": np.sum((y - m) / p) / big + base,
            "se_linearised": np.sqrt(variance(p)),
            "se_package": np.sqrt(variance(shifted)),
            "theta": theta.tolist(),
        }
    return out


folder, expected = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
population = json.loads((folder / "population.json").read_text())
totals = np.array(list(population["totals"].values()), float)
rows, xp = read(folder / "prob.csv")
d, stratum, cluster = (
    np.array([float(r[k]) for r in rows]) for k in ("weight", "stratum", "cluster")
)
worst, own = {}, {}
for sample in ("or1", "or1.5", "or2", "or3"):
    rows, x = read(folder / f"open_{sample}.csv")
    for outcome in ("y1", "y2"):
        mine = estimates(
            x,
            np.array([float(r[outcome]) for r in rows]),
            xp,
            d,
            stratum,
            cluster,
            totals,
            outcome == "y1",
        )
        for name, e in mine.items():
            ref = expected[sample][outcome][name]
            for a, b in (("mean", "mean"), ("se_package", "se_package"), ("hajek", "hajek")):
                if a in e and b in ref:
                    key = (name, b)
                    worst[key] = max(worst.get(key, 0), abs(e[a] / ref[b] - 1))
            if "se_linearised" in e:
                own.setdefault(sample, {}).setdefault(outcome, {})[name] = {
                    k: v for k, v in e.items() if k != "se_package"
                }
for key, value in worst.items():
    print(*key, f"{value:.1e}")
if len(sys.argv) > 3:
    Path(sys.argv[3]).write_text(json.dumps(own, indent=1))
