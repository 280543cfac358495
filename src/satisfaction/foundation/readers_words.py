"""What the readers of YAML, tables, workbooks and SPSS files find wrong, in the words of this program.

They say it in English and for programmers. Here every kind of fault has words of the catalogue; what no kind is known of
stands in the reader's own words, and is called so.
"""

from __future__ import annotations

import re

from satisfaction.foundation.language import N_, Text, _

OPEN_QUOTE = N_("a quotation mark is opened and not closed")
DAMAGED = N_("its content is damaged")
CUT_OFF = N_("it is cut off, or of another kind than its name says")
UNREADABLE = N_("it holds something that cannot be read")

KINDS = {
    # YAML
    r"mapping values are not allowed": N_(
        "a second colon, or a line indented too far; put text that holds a colon in quotes"
    ),
    r"mapping keys are not allowed": N_("a question mark begins this line; put the text in quotes"),
    r"sequence entries are not allowed": N_("a dash stands where no list can begin"),
    r"could not find expected ':'|unhashable key": N_(
        "a key without its colon, or with a full-width one"
    ),
    r"expected <block end>, but found '<scalar>'": N_(
        "text stands behind a closing quotation mark, or outside the indentation"
    ),
    r"expected <block end>|more indented follow up": N_(
        "the indentation of this line fits none above it"
    ),
    r"expected ',' or '\]'": N_("a list in [ ] is not closed, or a comma is missing"),
    r"expected ',' or '\}'": N_("a mapping in { } is not closed, or a comma is missing"),
    r"unexpected (?:end of stream|document separator|end of data)": OPEN_QUOTE,
    r"found character '\\t'": N_("a tab stands where the line begins; use spaces"),
    r"found character '(?P<sign>.+)' that cannot start": N_(
        "text with {sign} at its beginning; put it in quotes"
    ),
    r"while scanning an (?:anchor|alias)|expected alphabetic": N_(
        "& or * begins a text; put it in quotes"
    ),
    r"undefined alias '?(?P<name>[^']+)'?": N_("* begins the text {name}; put it in quotes"),
    r"unknown escape character|expected escape sequence": N_(
        "a backslash in double quotes; use single quotes"
    ),
    r"expected the node content": N_("a value is missing, or stands in the wrong place"),
    r"for the tag|tag handle|(?:parsing|scanning) a tag|expected an? \w+ node|expected '>'"
    r"|mapping item|of length 1|base64": N_("! begins a text; put it in quotes"),
    r"chomping or indentation|indentation indicator|expected a comment": N_(
        "text stands behind | or >; begin it in the next line"
    ),
    r"scanning a directive|YAML directive|incompatible YAML": N_(
        "% begins a line; put the text in quotes"
    ),
    r"document end marker|<document start>|another document": N_(
        "a second document begins (---); a declaration is one"
    ),
    r"special characters are not allowed": N_("a control character, which no text holds"),
    r"maximum depth": N_("nested too deeply"),
    r"mappings? for merging": N_("<< is no key here"),
    r"month must be|day is out of range|hour must be|minute must be|second must be"
    r"|year \d+ is out of range|construct timestamp": N_("a date or time that does not exist"),
    r"invalid literal for int|could not convert string to float|integer string": N_(
        "a tag !!int or !!float before something that is no number"
    ),
    # delimited text
    r"field larger than field limit": OPEN_QUOTE,
    r"expected after '\"'": N_("text stands behind a closing quotation mark"),
    r"Line: (?P<line>\d+)": N_("line {line} has other columns or quotation marks than the rest"),
    r"sniffing file": N_("no delimiter and columns can be made out"),
    # workbooks, archives
    r"password required|is encrypted": N_("it has a password"),
    r"compression method": N_("it is packed by a method that is not read"),
    r"not a zip file|detect file format|magic (?:number|bytes)|OLE|read from file": CUT_OFF,
    r"[Tt]runcated|end[- ]of[- ]file|EOF|too small to be|ended before|incomplete": CUT_OFF,
    r"no item named '(?P<name>[^']+)'": N_("its part {name} is missing"),
    r"CRC|decompress|[Xx][Mm][Ll]|-formed|syntax error|end of input|no element|mismatched|the reader ended|panic": DAMAGED,
    # Parquet
    r"TProtocol|[Cc]orrupt|Failed to read|metadata|Footer length|what type": DAMAGED,
    r"No files found": N_("there is no such file"),
    r"convert string '(?P<value>[^']*)'": N_("the value {value} does not fit its column"),
    # SPSS
    r"Invalid file|unsupported|requested encoding|expected number|call to read|seek": DAMAGED,
    # the system
    r"Permission denied|not permitted": N_("it is not yours to read, or held by another program"),
    r"Is a directory": N_("it is a folder"),
    r"Input/output error|Stale file": N_("the disk or network drive failed"),
    r"Too many levels of symbolic links": N_("a link leads to itself"),
    r"name too long": N_("its path is too long"),
    r"Too many open files|Cannot allocate|resource": N_("the system is short of resources"),
}
"""What a reader says, as a pattern, and what is said instead; the first that fits."""


def what_is_wrong(fault: object) -> Text:
    """Say what a reader found wrong.

    Parameters
    ----------
    fault : Exception or str
        Of a library or the system; of several lines the first.
    """
    own_words = (str(fault).splitlines() or [""])[0]
    for pattern, text in KINDS.items():
        if kind := re.search(pattern, own_words):
            return _(text, **kind.groupdict())
    if " " not in own_words:  # a name of the code, or nothing
        return _(UNREADABLE)
    return _("in the reader's own words: {words}", words=own_words)
