"""From a grid to a table: titles above the header, headers of two rows, names that stand twice, totals below."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np

from satisfaction.collection.platforms.export import ExportTable, Note
from satisfaction.foundation.grids import Grid

TOTALS = re.compile(r"(?:合计|总计|小计|total|grand total|subtotal)[:：]?", re.IGNORECASE)
NUMBER = re.compile(r"[\d\s.,:/%+-]+")
MOST_TITLES = 3
UNSEEN = re.compile(
    "[\u200b-\u200d\u2060\ufeff\u202a-\u202e]"
)  # no width; come with what is pasted


def find_header(grid: Grid) -> tuple[ExportTable, list[Note]]:
    """Split a grid into column names and rows; what is left out or renamed is noted."""
    grid = grid.as_shown()
    top, notes = _titles_above(grid)
    notes += [Note("F215", column=name) for name in grid.nested]
    if grid.hidden:
        notes.append(Note("F316", value=grid.sheet))
    if grid.hidden_rows:
        notes.append(Note("F318", value=str(grid.hidden_rows)))
    names = _names(grid, top)
    first = top + 1
    if _two_rows(grid, top):
        names = _joined(names, _names(grid, first))
        notes.append(Note("F204", row=int(grid.numbers[first])))
        first += 1
    header = grid.numbers[top:first].tolist()
    under_title = [right + 1 for row, _left, _last, right in grid.merged if row in header]
    while len(names) > max(under_title, default=0) and not names[-1]:
        names.pop()
    last = _before_totals(grid, first, notes)
    numbers = grid.numbers[first:last]
    columns = [column[first:last] for column in grid.columns]
    notes += _surplus(columns[len(names) :], numbers)
    kept = []
    for place, name in enumerate(names):
        if name or any(map(str.strip, columns[place])):
            kept.append(place)
    keys = _unique_keys([(place, names[place]) for place in kept], notes)
    for key, place in zip(keys, kept, strict=True):
        notes += _fill_merged(grid, place, columns[place], numbers=numbers, key=key)
    table = ExportTable(
        path=grid.path,
        sheet=grid.sheet,
        keys=keys,
        titles=tuple(names[place] for place in kept),
        columns=[columns[place] for place in kept],
        numbers=numbers,
        long_numbers=grid.long_numbers,
        dates=grid.dates,
    )
    return table, notes


def _before_totals(grid: Grid, first: int, notes: list[Note]) -> int:
    """Return where the records end, before trailing totals, which are noted."""
    last = len(grid.numbers)
    while last > first:
        cell = next(cell for cell in grid.record(last - 1) if cell.strip())
        if not TOTALS.fullmatch(re.sub(r"\s", "", cell)):
            break
        last -= 1
        notes.append(Note("F202", row=int(grid.numbers[last]), value=cell))
    return last


def _surplus(columns: list[np.ndarray], numbers: np.ndarray) -> list[Note]:
    """Note the first cell behind the last name of every row that has one."""
    first: dict[int, str] = {}
    for column in columns:
        for number, cell in zip(numbers.tolist(), column, strict=True):
            if cell.strip():
                first.setdefault(number, cell)
    return [Note("F201", row=row, value=value) for row, value in sorted(first.items())]


def _names(grid: Grid, position: int) -> list[str]:
    """Return the cells of a record as names of columns, without signs that nobody sees."""
    return [UNSEEN.sub("", name).strip() for name in grid.record(position)]


def _titles_above(grid: Grid) -> tuple[int, list[Note]]:
    """Pass over records of a single cell that stand above a wider table, and of few cells above a header of two rows."""
    notes: list[Note] = []
    for top in range(min(MOST_TITLES, len(grid.numbers) - 1)):
        title = [cell for cell in grid.record(top) if cell.strip()]
        below = [_filled(grid, top + 1 + place) for place in range(MOST_TITLES)]
        widest = max(below)
        is_line = 2 * len(title) <= below[1] and _two_rows(grid, top + 1)  # "unit: ..., date: ..."
        if (len(title) > 1 and not is_line) or widest < 3:
            break
        notes.append(Note("F203", row=int(grid.numbers[top]), value=title[0]))
    return len(notes), notes


def _filled(grid: Grid, position: int) -> int:
    if position >= len(grid.numbers):
        return 0
    return sum(bool(cell.strip()) for cell in grid.record(position))


def _two_rows(grid: Grid, top: int) -> bool:
    """Tell whether the record under the header belongs to it.

    It does where names are missing above its cells and the header's cells are merged, but not where below names of their
    own it holds numbers or texts that come again, as a respondent's row does; without merged cells (a csv file) where it
    holds no number and none of its texts comes again below, as answers would.
    """
    if top + 1 >= len(grid.numbers):
        return False
    upper = grid.record(top)
    texts = {place: cell for place, cell in enumerate(grid.record(top + 1)) if cell.strip()}
    gaps = [place for place in texts if not upper[place].strip()]
    if not gaps or gaps[0] == 0:
        return False
    header = int(grid.numbers[top])
    across: set[int] = set()
    for first, left, _last, right in grid.merged:
        if first == header and left < right:
            across.update(range(left, right + 1))
    below_one_name = {place: cell for place, cell in texts.items() if place not in across}
    if any(first == header for first, *_rest in grid.merged):
        return not _like_answers(grid, top + 1, below_one_name)
    return len(grid.numbers) - top >= 4 and not _like_answers(grid, top + 1, texts)


def _like_answers(grid: Grid, position: int, texts: dict[int, str]) -> bool:
    """Tell whether some of a record's texts are numbers or come again below, as answers do."""
    if any(map(NUMBER.fullmatch, texts.values())):
        return True
    return any(cell in grid.columns[place][position + 1 :] for place, cell in texts.items())


def _joined(upper: list[str], lower: list[str]) -> list[str]:
    """Join two rows of names; a name above stands for the empty cells to its right."""
    names = []
    above = ""
    for over, under in zip(upper, lower, strict=True):
        if over or not under:
            above = over
        names.append("/".join(filter(None, (above, under))))
    return names


def _fill_merged(
    grid: Grid, place: int, column: np.ndarray, *, numbers: np.ndarray, key: str
) -> list[Note]:
    """Write the value of cells merged below one another into each of them, in place; counted in a note."""
    filled = 0
    for first, left, last, right in grid.merged:
        rows = np.flatnonzero((numbers >= first) & (numbers <= last))
        below = left <= place <= right and len(rows) > 1 and numbers[rows[0]] == first
        if below and column[rows[0]].strip():
            empty = rows[[not cell.strip() for cell in column[rows]]]
            column[empty] = column[rows[0]]
            filled += len(empty)
    if not filled:
        return []
    return [Note("F315", column=key, value=f"× {filled}")]


def _unique_keys(names: list[tuple[int, str]], notes: list[Note]) -> tuple[str, ...]:
    """Give every column a key: its name, with a count where the name stands twice, its place where it has none."""
    keys: list[str] = []
    seen: Counter[str] = Counter()
    taken = {name for _, name in names}
    for place, name in names:
        seen[name] += 1
        key = name
        if not name:
            key = f"#{place + 1}"
        elif seen[name] > 1:
            key = f"{name}#{seen[name]}"
        while key != name and key in taken:
            key += "#"
        taken.add(key)
        if key != name:
            notes.append(Note("F205" if name else "F212", column=key, value=name))
        keys.append(key)
    return tuple(keys)
