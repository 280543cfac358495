"""Delimited text to columns, each different text made once: what `csv.reader` reads, a column at a time.

Cells are told apart by their bytes, eight at a time, in pieces that fit into a processor's cache: a hundred thousand
interviews hold a few hundred different texts.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

PIECE = 1 << 20  # bytes taken at a time
MOST = (
    1 << 24
)  # cells to which the short records of a piece are filled, and pieces narrower than others
SPARSE = 4  # times the cells there are
WORD = 8  # bytes
LONGEST = 8 * WORD  # longer texts seldom repeat
QUOTED = re.compile(r'"((?:[^"]|"")*)"')
MASKS = np.array(
    [(1 << 8 * min(max(left, 0), WORD)) - 1 for left in range(-LONGEST, LONGEST + 1)],
    dtype=np.uint64,
)
MIXING = np.uint64(0x9E3779B97F4A7C15)  # odd, its bits evenly spread

Encoding = Literal["utf-8", "gb18030"]
Places = npt.NDArray[np.int64]
Codes = npt.NDArray[np.intp]


class Column(NamedTuple):
    """Texts of a column: `different[codes]`, in the order of their first appearance."""

    codes: Codes
    different: list[str]


class Unusual(Exception):
    """Text that is not written as nearly all programs write it; only `csv.reader` can say what is meant or wrong."""


def split_columns(content: bytes, delimiter: str, encoding: Encoding) -> list[Column]:
    """Split delimited text with quotation marks into columns; a short record is filled with empty texts.

    It is split before it is decoded: in UTF-8 and GB18030 no byte of a wider character is a tab, a line's end, a quotation
    mark, a comma or a semicolon.

    Raises
    ------
    Unusual
        For quotation marks that do not go around a whole cell, carriage returns within a line, NUL characters, a line far
        longer than the others, and bytes that the encoding does not know.
    """
    if b"\0" in content:  # fills up words
        raise Unusual
    memories: list[dict[str, int]] = []
    pieces: list[tuple[int, list[Codes]]] = []
    rest = b""
    for begin in range(0, max(len(content), 1), PIECE):
        closed = b"\n" if begin + PIECE >= len(content) and not content.endswith(b"\n") else b""
        piece = rest + content[begin : begin + PIECE] + closed + bytes(LONGEST)
        starts, stops, end = _cells(piece, ord(delimiter))
        rest = piece[end:-LONGEST]
        memories += [{} for _ in range(len(starts) - len(memories))]
        codes = []
        for memory, first, last in zip(memories, starts, stops, strict=False):
            own, different = _texts(piece, first, last, encoding)
            codes.append(
                np.array(
                    [memory.setdefault(text, len(memory)) for text in different], dtype=np.intp
                )[own]
            )
        pieces.append((starts.shape[1], codes))
        there = sum(count * len(own) for count, own in pieces)
        if sum(count for count, _ in pieces) * len(memories) > max(MOST, SPARSE * there):
            raise Unusual
    if rest:
        raise Unusual
    return [
        _joined(memory, [(count, codes[place:]) for count, codes in pieces])
        for place, memory in enumerate(memories)
    ]


def _joined(memory: dict[str, int], pieces: list[tuple[int, list[Codes]]]) -> Column:
    """Join a column's pieces; one that has no such column is filled with empty texts."""
    parts = [
        codes[0] if codes else np.full(count, memory.setdefault("", len(memory)))
        for count, codes in pieces
        if count
    ]
    return Column(np.concatenate(parts), list(memory))


def _cells(content: bytes, delimiter: int) -> tuple[Places, Places, int]:
    """Return where the cells of whole records start and stop, a row a column, and where the last record ends.

    Behind the text stand `LONGEST` bytes that are no part of it.
    """
    letters = np.frombuffer(content, dtype=np.uint8)[:-LONGEST]
    newline = letters == ord("\n")
    limits = newline | (letters == delimiter)
    if b'"' in content:
        limits &= ~np.logical_xor.accumulate(letters == ord('"'))
    stops = np.flatnonzero(limits)
    last = np.flatnonzero(newline[stops])
    if not len(last):
        return np.empty((0, 0), dtype=np.int64), np.empty((0, 0), dtype=np.int64), 0
    stops = stops[: last[-1] + 1]
    starts, end = np.concatenate([[0], stops[:-1] + 1]), int(stops[-1]) + 1
    stops[last] -= (letters[stops[last] - 1] == ord("\r")) & (stops[last] > starts[last])
    first = np.concatenate([[0], last[:-1] + 1])
    width = int((last - first).max()) + 1
    if len(stops) == width * len(last):
        return (
            np.ascontiguousarray(starts.reshape(-1, width).T),
            np.ascontiguousarray(stops.reshape(-1, width).T),
            end,
        )
    if width * len(last) > MOST:
        raise Unusual
    cells = first + np.arange(width)[:, None]
    there = cells <= last
    cells[~there] = 0
    return starts[cells] * there, stops[cells] * there, end


def _texts(
    content: bytes, starts: Places, stops: Places, encoding: Encoding
) -> tuple[Codes, list[str]]:
    """Return the cells between starts and stops as places in a list of texts, without quotation marks."""
    codes, earliest = _same(content, starts, stops - starts)
    ends = zip(starts[earliest].tolist(), stops[earliest].tolist(), strict=True)
    try:
        different = [content[start:stop].decode(encoding) for start, stop in ends]
    except UnicodeDecodeError:
        raise Unusual from None
    for place, cell in enumerate(different):
        if '"' in cell:
            if not (quoted := QUOTED.fullmatch(cell)):
                raise Unusual
            different[place] = quoted[1].replace('""', '"')
        elif "\r" in cell:
            raise Unusual
    return codes, different


def _same(content: bytes, starts: Places, lengths: Places) -> tuple[Codes, Codes]:
    """Number the different cells, and name the first of each."""
    words = np.ndarray(
        len(content) - WORD, dtype="<u8", buffer=content, strides=(1,)
    )  # one begins at every byte
    longest = int(lengths.max())
    if longest > LONGEST:
        return np.arange(len(starts)), np.arange(len(starts))
    whole, *more = [
        words[starts + done] & MASKS[lengths + (LONGEST - done)]
        for done in range(0, max(longest, 1), WORD)
    ]
    sums = whole
    for part in more:
        sums = sums * MIXING + part
    codes, _ = pd.factorize(sums)
    earliest = np.empty(int(codes.max()) + 1, dtype=np.intp)
    earliest[codes[::-1]] = np.arange(len(codes))[::-1]
    if more and not all(np.array_equal(part, part[earliest][codes]) for part in (whole, *more)):
        raise Unusual  # two texts with one sum: once in a million years
    return codes, earliest
