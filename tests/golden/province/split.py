"""Cut what province.R wrote in two: expected.json for reading, arrays.npz for covariances and weights.

usage: python split.py WHOLE.json OUT_DIR

An array is named by its place: `rake.county.index.vcov` is ["rake"]["county"]["index"]["vcov"].
golden_values.py puts them back. Numbers are not changed: both hold the double that R printed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

LARGE = ("vcov", "weights")


def cut_out(figures: dict[str, Any], place: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Remove the large arrays from nested figures and return them by their place."""
    arrays = {}
    for name in list(figures):
        here = (*place, name)
        if name in LARGE:
            arrays[".".join(here)] = np.array(figures.pop(name), dtype=float)
        elif isinstance(figures[name], dict):
            arrays |= cut_out(figures[name], here)
    return arrays


def main(whole: Path, folder: Path) -> None:
    """Write expected.json and arrays.npz."""
    figures = json.loads(whole.read_text(encoding="utf-8"))
    arrays = cut_out(figures)
    text = json.dumps(figures, separators=(",", ":")) + "\n"
    (folder / "expected.json").write_text(text, encoding="utf-8")
    np.savez_compressed(folder / "arrays.npz", **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
