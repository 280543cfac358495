"""Pictures of pages, drawn once in a process: half the work of a file set is drawing, and most sets of the tests show the same.

A picture is remembered by what it is drawn from: the function, its tables to the last bit, the language. Other tables, another
mark or another language are drawn anew. `drawn_anew` in conftest.py switches it off for tests of "the same text twice".
"""

from __future__ import annotations

import functools
import importlib
import pickle
from dataclasses import dataclass
from types import ModuleType

from satisfaction.foundation.language import current

PAGES = ("report", "report.areas", "report.reading")


@dataclass(frozen=True)
class Drawn:
    """A figure, or None where its address is remembered."""

    key: tuple[str, str, bytes]
    figure: object


class RememberedPictures:
    """What stands in a page's module in place of `plots`, and in place of `address`."""

    def __init__(self, plots: ModuleType, address) -> None:
        self.plots = plots
        self.address_of = address
        self.addresses: dict[tuple[str, str, bytes], object] = {}
        self.anew = False

    def __getattr__(self, name: str):
        drawing = getattr(self.plots, name)
        if not hasattr(drawing, "__wrapped__"):  # a word or a record, no picture
            return drawing

        @functools.wraps(drawing)
        def draw(*tables, **words):
            if self.anew:
                return drawing(*tables, **words)
            key = (name, str(current()), pickle.dumps((tables, words)))
            figure = None if key in self.addresses else drawing(*tables, **words)
            return Drawn(key, figure)

        return draw

    def address(self, drawn):
        if not isinstance(drawn, Drawn):
            return self.address_of(drawn)
        if drawn.key not in self.addresses:
            self.addresses[drawn.key] = self.address_of(drawn.figure)
        return self.addresses[drawn.key]


def remember_pictures() -> RememberedPictures:
    """Let the pages of this process remember what they have drawn."""
    report, *pages = [importlib.import_module(f"satisfaction.publication.{name}") for name in PAGES]
    canvas = importlib.import_module("satisfaction.publication.plots.canvas")
    remembered = RememberedPictures(report.plots, canvas.address)
    for module in (report, *pages):
        module.plots = remembered
    for module in (report, canvas):
        module.address = remembered.address
    return remembered
