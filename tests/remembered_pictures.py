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
    """What stands in a page's module in place of `plots` and `picture`."""

    def __init__(self, plots: ModuleType, picture) -> None:
        self.plots = plots
        self.draw_in = picture
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

    def picture(self, drawn, alt):
        if not isinstance(drawn, Drawn):
            return self.draw_in(drawn, alt)
        if drawn.key not in self.addresses:
            self.addresses[drawn.key] = self.draw_in(drawn.figure, alt).address
        return type_of_picture()(alt, self.addresses[drawn.key])


def type_of_picture():
    from satisfaction.publication.plots.canvas import Picture

    return Picture


def remember_pictures() -> RememberedPictures:
    """Let the pages of this process remember what they have drawn."""
    modules = [importlib.import_module(f"satisfaction.publication.{name}") for name in PAGES]
    remembered = RememberedPictures(modules[0].plots, modules[0].picture)
    for module in modules:
        module.plots = remembered
        module.picture = remembered.picture
    return remembered
