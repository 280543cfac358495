"""Fieldwork as files a team receives: `stand` looks at a survey's responses, `write_fieldwork` writes what was found.

`standing` runs the checks that declarations and paradata allow, `tables` counts flags by check and county, `pages` makes a
page a county, `files` writes the set, `words` holds short names and number formats.
"""

from .files import summary_lines, write_fieldwork
from .standing import Standing, stand
from .tables import check_table, county_table

__all__ = ["Standing", "check_table", "county_table", "stand", "summary_lines", "write_fieldwork"]
