"""Pictures of pages, drawn once in a process: half the work of a file set is drawing, and most sets of the tests show the same.

A picture is remembered by what it is drawn from: the function, its tables to the last bit, the language. Other tables, another
mark or another language are drawn anew. `drawn_anew` in conftest.py switches it off for tests of "the same text twice", and
`left_out` leaves pictures out where a set is there for its tables alone.
"""

from __future__ import annotations

import functools
import importlib
import pickle
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType

from satisfaction.foundation.language import current

BLANK = ("", "", b"")
PAGES = ("report", "report.areas", "report.reading")
"""Modules below publication/ that draw with `plots`."""


@dataclass(frozen=True)
class Drawn:
    """What stands for a figure in a page: its key, and the figure itself where its SVG is not remembered."""

    key: tuple[str, str, bytes]
    figure: object


class RememberedPictures:
    """What stands in a page's module in place of `plots`, and in the canvas in place of `svg`."""

    def __init__(self, plots: ModuleType, svg) -> None:
        self.plots = plots
        self.svg_of = svg
        self.texts = {BLANK: "<svg xmlns='http://www.w3.org/2000/svg'/>"}
        self.anew = False
        self.blank = False

    def __getattr__(self, name: str):
        drawing = getattr(self.plots, name)
        if not hasattr(drawing, "__wrapped__"):  # a word or a record, no picture
            return drawing

        @functools.wraps(drawing)
        def draw(*tables, **words):
            if self.anew:
                return drawing(*tables, **words)
            if self.blank:
                return Drawn(BLANK, None)
            key = (name, str(current()), pickle.dumps((tables, words)))
            figure = None if key in self.texts else drawing(*tables, **words)
            return Drawn(key, figure)

        return draw

    def svg(self, figure) -> str:
        if not isinstance(figure, Drawn):
            return self.svg_of(figure)
        if figure.key not in self.texts:
            self.texts[figure.key] = self.svg_of(figure.figure)
        return self.texts[figure.key]

    @contextmanager
    def left_out(self):
        """Write pages without pictures, for sets of which nobody reads the pages."""
        self.blank = True
        try:
            yield
        finally:
            self.blank = False


def remember_pictures() -> RememberedPictures:
    """Let the pages of this process remember what they have drawn."""
    from satisfaction.publication import plots
    from satisfaction.publication.plots import canvas

    remembered = RememberedPictures(plots, canvas.svg)
    canvas.svg = remembered.svg
    for name in PAGES:
        module = importlib.import_module(f"satisfaction.publication.{name}")
        if hasattr(module, "plots"):
            module.plots = remembered
    return remembered
