"""Simulated fieldwork without a fault, into which tests plant one: nothing in it is a real survey's."""

from __future__ import annotations

import numpy as np
import pandas as pd

from satisfaction.fieldwork.findings import Fields

ITEMS = [f"q{i:02d}" for i in range(12)]
FIELDS = Fields(
    "id", county="county", interviewer="interviewer", mode="mode", day="day", started="started", ended="ended",
    duration="duration", device="device", ip="ip",
)  # fmt: skip
CUTS = np.array([-1.9, -1.1, -0.2, 1.0])  # answers 1-5, most of them 4 and 5
PER_INTERVIEWER, INTERVIEWERS = 25, 6


def clean(seed: int, *, counties: int = 12, rho: float = 0.01) -> pd.DataFrame:
    """Interviews of several counties: differences between counties, persons and (rho) interviewers, and nothing else."""
    rng = np.random.default_rng(seed)
    n = counties * INTERVIEWERS * PER_INTERVIEWER
    county = np.repeat(np.arange(counties), INTERVIEWERS * PER_INTERVIEWER)
    interviewer = np.repeat(np.arange(counties * INTERVIEWERS), PER_INTERVIEWER)
    level = (
        0.25 * rng.standard_normal(counties)[county]
        + np.sqrt(rho) * rng.standard_normal(interviewer.max() + 1)[interviewer]
    )
    latent = level + 0.8 * rng.standard_normal(n)
    answers = 1 + (
        latent[:, None] + 0.7 * rng.standard_normal((n, len(ITEMS))) > CUTS[:, None, None]
    ).sum(axis=0)
    within = np.tile(np.arange(PER_INTERVIEWER), counties * INTERVIEWERS)
    duration = np.exp(np.log(600) + 0.3 * rng.standard_normal(n)).round()
    started = (
        pd.Timestamp("2026-07-06")
        + pd.to_timedelta(within // 5, "D")
        + pd.to_timedelta(9 + within % 5 * 2, "h")
    )
    started = started + pd.to_timedelta(rng.integers(0, 3000, n), "s")
    return pd.DataFrame(answers, columns=ITEMS).assign(
        id=[f"P{i:05d}" for i in range(n)], county=[f"99{c:04d}" for c in county], interviewer=[f"I{i:03d}" for i in interviewer],
        mode=np.where(rng.random(n) < 0.5, "1", "2"), day=started.strftime("%Y-%m-%d"), started=started.strftime("%Y-%m-%d %H:%M:%S"),
        ended=(started + pd.to_timedelta(duration, "s")).strftime("%Y-%m-%d %H:%M:%S"), duration=duration,
        device=[f"D{i:03d}" for i in interviewer], ip=[f"{i:08x}" for i in range(n)],
        aware=(level + rng.standard_normal(n) > -1).astype(float), active=(level + rng.standard_normal(n) > 0.3).astype(float),
    )  # fmt: skip
