"""A figure in a page: what it shows, in words, and its SVG as a data address."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from markupsafe import Markup

from .. import plots
from .words import Words


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure in the page."""

    alt: Words
    address: Markup


def picture(figure: plots.Figure, alt: Words) -> Picture:
    """Put a figure into an address of its own: same figure, same text."""
    encoded = base64.b64encode(plots.svg(figure).encode()).decode("ascii")
    return Picture(alt, Markup("data:image/svg+xml;base64," + encoded))
