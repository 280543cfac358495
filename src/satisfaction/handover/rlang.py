"""R's words: names, literals and comments that R reads back as they were meant."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

RESERVED = {
    "if", "else", "repeat", "while", "function", "for", "next", "break", "in", "TRUE", "FALSE", "NULL", "Inf", "NaN", "NA",
    "NA_integer_", "NA_real_", "NA_complex_", "NA_character_",
}  # fmt: skip
WIDTH = 110
QUOTES = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'"})  # what looks like a quotation mark, R takes for an error


def r_name(name: str) -> str:
    """Return a name as R takes it without backticks; a name that is one already stays as it is."""
    valid = re.sub(r"[^\w.]", ".", name)
    if not re.match(r"[^\W\d_]|\.(?!\d)", valid):
        valid = f"X{valid}"
    return f"{valid}." if valid in RESERVED else valid


def unique_name(name: str, taken: Iterable[str], *, suffix: str = "_2") -> str:
    """Return a valid R name that is not taken, with the suffix where it has to differ."""
    found, taken = r_name(name), set(taken)
    while found in taken:
        found += suffix
    return found


def text_of(value: Any) -> str:
    """Return a code as the csv file and the script spell it: whole numbers without a decimal point, truth values as 1 and 0."""
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, float | np.floating):
        return str(int(value)) if float(value).is_integer() else f"{value:.17g}"
    return str(value)


def as_codes(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column of codes as text; missing stays missing."""
    return values.map({value: text_of(value) for value in values.dropna().unique()}).astype(object)


def quoted(text: str) -> str:
    """Return a text as an R string; what could end it, or look like a quotation mark, is escaped."""

    def escaped(letter: str) -> str:
        """Return one character of the string."""
        if letter in '\\"':
            return f"\\{letter}"
        plain = letter.isprintable() and letter not in "“”‘’"
        return letter if plain else f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}"

    return '"' + "".join(map(escaped, text)) + '"'


def number(value: float) -> str:
    """Return a number with the digits that make it the same double again."""
    return f"{value:.17g}"


def vector(values: Iterable[str], *, indent: str = "    ") -> str:
    """Return c(...) of values that are R already, broken into lines."""
    lines, line = [], ""
    for value in values:
        if line and len(line) + len(value) > WIDTH:
            lines.append(line.rstrip())
            line = ""
        line += f"{value}, "
    body = "\n".join(indent + one for one in (*lines, line.rstrip().rstrip(",")))
    return f"c(\n{body}\n{indent[:-2]})"


def comment(*texts: str) -> str:
    """Return texts as comment lines of bounded length; nothing in them can become code."""
    lines = []
    for text in texts:
        rest = " ".join(text.split()).translate(QUOTES)
        while len(rest) > WIDTH:
            at = rest.rfind(" ", WIDTH // 2, WIDTH)
            at = WIDTH if at < 0 else at
            lines.append(rest[:at])
            rest = rest[at:].strip()
        lines.append(rest)
    return "\n".join(f"# {line}" for line in lines)
