"""The lowest point of a function of two numbers by Nelder and Mead's simplex, all candidates of a step at once.

Where a call costs the same for one point as for four (one product of matrices), scipy's form, which asks point by point,
takes three times as long. Steps and their order are scipy's, so that both find the same point to the last digits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

Point: TypeAlias = tuple[float, float]
Corner: TypeAlias = tuple[float, Point]
MOST_STEPS = 200
ASIDE = 0.05  # share of a number by which the first corners lie beside the start
ASIDE_OF_ZERO = 0.00025


def lowest(
    values_at: Callable[[Sequence[Point]], Sequence[float]],
    start: Point,
    *,
    within: float,
    flat: float,
) -> Point:
    """Return the lowest point found.

    Parameters
    ----------
    values_at : function
        The values at several points.
    start : (float, float)
    within, flat : float
        It is found when no corner lies farther than `within` from the lowest, nor higher than by `flat`.
    """
    x, y = start
    first = [start, (_beside(x), y), (x, _beside(y))]
    corners = _sorted(values_at(first), first)
    for _step in range(MOST_STEPS):
        if _is_small(corners, within, flat):
            break
        best, middle, worst = corners
        reflected = _towards(best, middle, worst, 2.0)
        candidates = [
            reflected,
            _towards(best, middle, worst, 3.0),
            _towards(best, middle, worst, 1.5),
            _towards(best, middle, worst, 0.5),
        ]
        at_reflected, at_expanded, outside, inside = values_at(candidates)
        accepted: Corner | None = (at_reflected, reflected)
        if at_reflected < best[0]:
            if at_expanded < at_reflected:
                accepted = (at_expanded, candidates[1])
        elif at_reflected >= middle[0]:
            accepted = None
            if at_reflected < worst[0]:
                if outside <= at_reflected:
                    accepted = (outside, candidates[2])
            elif inside < worst[0]:
                accepted = (inside, candidates[3])
        if accepted is not None:
            corners = sorted([best, middle, accepted], key=_value)
        else:
            shrunk = [_halfway(best[1], corner[1]) for corner in (middle, worst)]
            corners = [best, *zip(values_at(shrunk), shrunk, strict=True)]
            corners.sort(key=_value)
    return corners[0][1]


def _beside(number: float) -> float:
    return (1 + ASIDE) * number if number else ASIDE_OF_ZERO


def _value(corner: Corner) -> float:
    return corner[0]


def _sorted(values: Sequence[float], points: Sequence[Point]) -> list[Corner]:
    corners = list(zip(values, points, strict=True))
    return sorted(corners, key=_value)


def _is_small(corners: Sequence[Corner], within: float, flat: float) -> bool:
    """Whether the other corners lie close to the lowest one, and hardly higher."""
    (low, (x, y)), *others = corners
    for value, (other_x, other_y) in others:
        if max(abs(other_x - x), abs(other_y - y)) > within or abs(value - low) > flat:
            return False
    return True


def _towards(best: Corner, middle: Corner, worst: Corner, share: float) -> Point:
    """Go from the worst corner through the middle of the others, `share` times the way to it."""
    x, y = best[1]
    other_x, other_y = middle[1]
    away_x, away_y = worst[1]
    across_x = share * ((x + other_x) / 2) - (share - 1) * away_x
    across_y = share * ((y + other_y) / 2) - (share - 1) * away_y
    return across_x, across_y


def _halfway(point: Point, other: Point) -> Point:
    x, y = point
    return x + 0.5 * (other[0] - x), y + 0.5 * (other[1] - y)
