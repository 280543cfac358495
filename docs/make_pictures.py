"""Draw the pictures of the README and of the guides: `python docs/make_pictures.py` (about a minute).

They show the shipped wave, once a language: NAME.png in Chinese, NAME-en.png in English, in docs/pictures. what-if.png
is not drawn here: it is what a browser shows of notebook 02.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from satisfaction import read_survey, run
from satisfaction.foundation.language import LANGUAGES, use
from satisfaction.publication import plots
from satisfaction.publication.tables import tables_of, with_parent_names

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "pictures"
WAVE = ROOT / "surveys" / "guizhou-2026q3"
RESOLUTION = 110  # dots an inch


def pictures() -> dict[str, Callable[[], plots.Figure]]:
    """Return how each picture is drawn, by its name."""
    results = run(read_survey(WAVE))
    published = tables_of(results)
    ranked = results.survey.questionnaire.ranked
    indices = with_parent_names(results.survey, published.indices)
    return {
        "near-cut": lambda: plots.probability_near_cut(published.ranking),
        "tiles": lambda: plots.tile_map(indices, ranked),
        "ladder": lambda: plots.ranking_ladder(published.ranking, published.indices),
        "pairs": lambda: plots.pair_matrix(published.ranking, results.ranking.order()),
        "waves": lambda: plots.rank_paths(published.paths),
    }


def main() -> None:
    """Draw every picture in both languages."""
    for name, draw in pictures().items():
        for language in LANGUAGES:
            ending = "-en" if language == "en" else ""
            with use(language):
                figure = draw()
                path = FOLDER / f"{name}{ending}.png"
                figure.savefig(path, dpi=RESOLUTION, metadata={"Software": None})
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
