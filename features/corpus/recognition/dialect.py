"""The dialect of a text file: its encoding and the separator of its columns.

What is not given is recognised, and said in one line: ``read as windows-1252 ('möchte'),
separated by ';'``.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

from features.corpus.recognition.encodings import (
    UTF8_SIGNED,
    check_encoding,
    shown,
    word_beyond_ascii,
)
from features.corpus.source import Source
from features.errors import SettingError
from features.options import Options, option

TAB = "\t"
SEPARATORS = ",;\t|"

MIN_ALIKE = 0.9
"""Minimum share of the first rows that must have as many fields as the header."""


def parse_delimiter(text: str) -> str:
    """Return the separator that an option names; ``tab`` and ``\\t`` are a tab."""
    return TAB if text.lower() in ("tab", r"\t") else text


def check_delimiter(delimiter: str) -> None:
    """Refuse what cannot separate columns. Raises ``SettingError``."""
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise SettingError(
            f"--delimiter takes one character, such as ';' or '|', or tab; got {delimiter!r}"
        )


@dataclass(frozen=True)
class Dialect(Options):
    """How a data file is written.

    Attributes:
        delimiter: separator of the columns of CSV and TSV; None: recognised.
        encoding: name of the encoding of a text file; None: recognised.
        sheet: name of the sheet of an Excel file; None: the first that is not empty.
    """

    delimiter: str | None = option(
        None,
        "split the lines of CSV and TSV at this character, such as ';', or tab",
        metavar="CHARACTER",
        parse=parse_delimiter,
        check=check_delimiter,
        otherwise="recognised",
    )
    encoding: str | None = option(
        None,
        "read a text file in this encoding, such as windows-1252",
        metavar="NAME",
        check=check_encoding,
        otherwise="recognised",
    )
    sheet: str | None = option(
        None,
        "read this sheet of an Excel file",
        metavar="NAME",
        otherwise="the first that is not empty",
    )


RECOGNISED = Dialect()
"""Everything is recognised."""


def unsaid(line: str) -> None:
    """Say nothing."""


@dataclass
class Reading:
    """How a source is read: what was asked for, and what was recognised.

    Attributes:
        dialect: as asked for; what is recognised and not usual takes its place here.
        note: is called with each line for people, once.
        said: the lines.
        encoding, delimiter: what was recognised and is not usual, in words.
    """

    dialect: Dialect = RECOGNISED
    note: Callable[[str], None] = unsaid
    said: list[str] = field(default_factory=list)
    encoding: str = ""
    delimiter: str = ""

    def say(self, line: str) -> None:
        """Tell people one line, unless it was told."""
        if line not in self.said:
            self.said.append(line)
            self.note(line)

    def opened(self, encoding: str, text: str) -> None:
        """Note the encoding that a file is read in.

        Args:
            encoding: name of the codec.
            text: from the file, for an example.
        """
        if self.dialect.encoding is None and encoding != UTF8_SIGNED:
            word = word_beyond_ascii(text)
            self.encoding = f"read as {shown(encoding)}" + (f" ({word!r})" if word else "")
            self.dialect = replace(self.dialect, encoding=shown(encoding))

    def encode_late(self, path: Source, encoding: str) -> None:
        """Take an encoding that was recognised behind the beginning of a file, and say so."""
        self.dialect = replace(self.dialect, encoding=shown(encoding))
        self.say(f"{path}: read as {shown(encoding)} (--encoding overrules that)")

    def separated(self, delimiter: str, usual: str) -> None:
        """Note the separator of a file's columns, and that of files with such names."""
        if self.dialect.delimiter is None and delimiter != usual:
            self.delimiter = f"separated by {'tabs' if delimiter == TAB else repr(delimiter)}"
            self.dialect = replace(self.dialect, delimiter=delimiter)

    def say_dialect(self, path: Source) -> None:
        """Say what of the dialect was recognised and is not usual, if anything is."""
        facts = {"--encoding": self.encoding, "--delimiter": self.delimiter}
        options = [name for name, fact in facts.items() if fact]
        if options:
            overrule = "overrules" if len(options) == 1 else "overrule"
            self.say(
                f"{path}: {', '.join(facts[name] for name in options)} "
                f"({' and '.join(options)} {overrule} that)"
            )


def recognise_delimiter(
    lines: Sequence[str], usual: str, required: Collection[str], whole: bool
) -> str:
    """Return the separator of the columns.

    The usual one stays if it gives the required columns; else one that gives them; else the one
    by which most rows have as many fields as the header, at least two, if one does.

    Args:
        lines: the first lines of the file, with their ends.
        usual: that of files with such a name.
        required: names of columns.
        whole: whether the file has no more lines.
    """
    ordered: list[str] = [usual, *SEPARATORS.replace(usual, "")]
    headers = {each: next(_rows(lines, each), []) for each in ordered}
    for each in ordered:
        if required and set(required) <= {name.strip("\ufeff") for name in headers[each]}:
            return each
    alike = {each: _alike(lines, each, whole) for each in ordered}
    best = max(ordered, key=lambda each: alike[each])  # the first of equal ones
    return best if alike[best][0] >= MIN_ALIKE else usual


def _alike(lines: Sequence[str], delimiter: str, whole: bool) -> tuple[float, int]:
    """Return the share of rows that have as many fields as the header, and how many those are;
    (0, 0) where there is one field only."""
    rows = list(_rows(lines, delimiter))
    if not whole and len(rows) > 1:
        rows.pop()  # it may go on behind the lines read
    widths = Counter(map(len, rows))
    width = len(rows[0]) if rows else 0
    if width < 2:
        return 0.0, 0
    return widths[width] / len(rows), width


def _rows(lines: Sequence[str], delimiter: str) -> Iterator[list[str]]:
    """Yield the rows that are not blank, up to one that does not parse."""
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        yield from (row for row in reader if row)
    except csv.Error:
        return
