"""Plain-numpy floors for the central jobs, and the bench frame they run on.

usage: python tests/benchmarks/floor.py [ROWS]          (default 1,000,000)
A floor is a specialised kernel, not a product: integer codes are given, every stratum has 20 PSUs, nothing is
missing, nothing is checked. It marks the distance to what the machine can do; time a product against it in one run.
"""

import sys
import time

import numpy as np
import pandas as pd

COUNTIES, STRATA, PER_STRATUM, AGES = 88, 176, 20, 6
PSUS, CELLS = STRATA * PER_STRATUM, COUNTIES * 2 * AGES * 2
ITEMS = ["q0", "q1", "q2", "q3"]
rng = np.random.default_rng(20261122)


def bench_frame(rows=1_000_000, items=4):
    """Respondents as a user brings them: county as six-digit text, float weights, small integer answers."""
    stratum = rng.integers(0, STRATA, rows)
    psu = stratum * PER_STRATUM + rng.integers(0, PER_STRATUM, rows)
    frame = pd.DataFrame(
        {
            "county": pd.Series((520100 + stratum // 2).astype(str)),
            "stratum": stratum.astype("int32"),
            "psu": psu.astype("int32"),
            "urban": (stratum % 2).astype("int8"),
            "sex": rng.integers(0, 2, rows).astype("int8"),
            "age": rng.integers(0, AGES, rows).astype("int8"),
            "base_weight": rng.uniform(5, 15, PSUS)[psu],
        }
    )
    for i in range(items):
        frame[f"q{i}"] = rng.integers(1, 6, rows).astype("int8")
    return frame


def margins(frame):
    """Population margins that agree with one another, about 10 % away from the sample's."""
    total = frame.base_weight.sum()
    out = {}
    for column in ("county", "urban", "age", "sex"):
        share = frame.groupby(column).base_weight.sum() * (
            1 + 0.1 * rng.standard_normal(frame[column].nunique())
        )
        out[column] = (share / share.sum() * total).to_dict()
    return out


def arrays(frame):
    code = {c: frame[c].to_numpy().astype(np.int64) for c in ("psu", "age", "sex")}
    return code, frame.base_weight.to_numpy(), [frame[q].to_numpy().astype(float) for q in ITEMS]


def domain_table(code, w, y):
    """(items, 88) means and se: two bincounts an item."""
    county = np.arange(PSUS) // (2 * PER_STRATUM)
    weight = np.bincount(code["psu"], w, PSUS)
    size = np.bincount(county, weight)
    out = []
    for values in y:
        total = np.bincount(code["psu"], w * values, PSUS)
        mean = np.bincount(county, total) / size
        z = ((total - mean[county] * weight) / size[county]).reshape(STRATA, PER_STRATUM)
        v = PER_STRATUM / (PER_STRATUM - 1) * ((z - z.mean(1, keepdims=True)) ** 2).sum(1)
        out.append((mean, np.sqrt(v.reshape(COUNTIES, 2).sum(1))))
    return out


def collapse(code, w, y):
    """Weight and item sums by county x urban x PSU x age x sex."""
    key = (code["psu"] * AGES + code["age"]) * 2 + code["sex"]
    shape = (COUNTIES, 2, PER_STRATUM, AGES, 2)
    return key, [
        np.bincount(key, v, PSUS * AGES * 2).reshape(shape)
        for v in [w] + [w * values for values in y]
    ]


def rake_cells(cells, targets, tolerance=1e-6):
    """Factors on the county x urban x age x sex table."""
    start, x = cells, cells.copy()
    for _ in range(500):
        gap = 0.0
        for axis, t in enumerate(targets):
            margin = x.sum(axis=tuple(i for i in range(4) if i != axis))
            shape = [1] * 4
            shape[axis] = -1
            gap = max(gap, np.abs(margin / t - 1).max())
            x = x * (t / margin).reshape(shape)
        if gap <= tolerance:
            break
    return x / start


def rake(code, w, targets):
    key, (weight,) = collapse(code, w, [])
    factor = rake_cells(weight.sum(2), targets)
    return w * np.broadcast_to(factor[:, :, None], weight.shape).ravel()[key]


def calibrated_se(code, w, y, targets):
    """(items, 88) se of raked county means: GREG residuals (regression weighted by the weights before raking)."""
    _, (weight, *sums) = collapse(code, w, y)
    cells = weight.sum(2)
    factor = rake_cells(cells, targets, 1e-10)
    g, wg = factor[:, :, None], weight * factor[:, :, None]
    size = wg.sum((1, 2, 3, 4))
    index = np.indices((COUNTIES, 2, AGES, 2)).reshape(4, -1)
    design = np.zeros((CELLS, COUNTIES + 2 + AGES + 2))
    row = np.arange(CELLS)
    for i, offset in enumerate((0, COUNTIES, COUNTIES + 2, COUNTIES + 2 + AGES)):
        design[row, offset + index[i]] = 1
    inverse = np.linalg.pinv((design * cells.ravel()[:, None]).T @ design)
    flat_wg = wg.transpose(0, 1, 2, 3, 4).reshape(PSUS, AGES * 2)
    out = []
    for s in sums:
        mean = (s * g).sum((1, 2, 3, 4)) / size
        z = (s - mean[:, None, None, None, None] * weight).sum(2) / size[:, None, None, None]
        own = np.zeros((CELLS, COUNTIES))
        own[row, index[0]] = z.ravel()
        fit = (design @ (inverse @ (design.T @ own))).reshape(STRATA, AGES * 2, COUNTIES)
        total = -np.matmul(flat_wg.reshape(STRATA, PER_STRATUM, AGES * 2), fit)
        part = (s * g - mean[:, None, None, None, None] * wg).sum((3, 4)) / size[:, None, None]
        total[np.arange(STRATA), :, np.arange(STRATA) // 2] += part.reshape(STRATA, PER_STRATUM)
        total -= total.mean(1, keepdims=True)
        out.append(np.sqrt(PER_STRATUM / (PER_STRATUM - 1) * np.einsum("hpc,hpc->c", total, total)))
    return out


def bootstrap_raked(code, w, y, targets, replicates=200):
    """Rao-Wu on PSUs, every replicate raked again; (replicates, items, 88) means."""
    _, (weight, *sums) = collapse(code, w, y)
    out = np.empty((replicates, len(sums), COUNTIES))
    for r in range(replicates):
        draws = rng.multinomial(PER_STRATUM - 1, np.full(PER_STRATUM, 1 / PER_STRATUM), STRATA)
        m = (draws * PER_STRATUM / (PER_STRATUM - 1)).reshape(COUNTIES, 2, PER_STRATUM, 1, 1)
        cells = (weight * m).sum(2)
        factor = rake_cells(np.maximum(cells, 1e-300), targets)
        size = (cells * factor).sum((1, 2, 3))
        for i, s in enumerate(sums):
            out[r, i] = ((s * m).sum(2) * factor).sum((1, 2, 3)) / size
    return out


def best(job, repeat=3):
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        job()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


if __name__ == "__main__":
    people = bench_frame(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
    wanted = [np.array([m[k] for k in sorted(m)]) for m in margins(people).values()]
    code, w, y = arrays(people)
    for name, job, repeat in (
        ("domain table, 4 items x 88 counties, with se", lambda: domain_table(code, w, y), 5),
        ("raking 4 margins to 1e-6, weights per respondent", lambda: rake(code, w, wanted), 5),
        ("raked means with calibrated se", lambda: calibrated_se(code, w, y, wanted), 3),
        ("200 bootstraps, each raked again", lambda: bootstrap_raked(code, w, y, wanted), 1),
    ):
        print(f"{name}: {best(job, repeat):.4f} s")
