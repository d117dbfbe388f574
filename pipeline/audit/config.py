"""What ``manyheads audit`` is asked to do, beside data and encoder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from features.options import option
from features.storage.location import local_path
from pipeline.spreadsheet import FORMULAS, FORMULAS_WORDS, KEEP

EXAMPLES = 10
"""Examples of each finding, where nobody asks for another number."""


@dataclass(frozen=True)
class AuditConfig:
    """What an audit writes.

    Attributes:
        page: the HTML page; None: none.
        examples: maximum number of examples of each finding.
        write_clean: the file for the cleaned corpus; None: none.
        formulas: what becomes of cells that a spreadsheet would run.
        remedies: kinds of findings to act on, joined by commas; None: the safe ones.
    """

    page: Path | None = option(
        Path("audit.html"),
        "write the findings with their texts as this HTML page, or none",
        metavar="FILE",
        parse=local_path,
        none=True,
    )
    examples: int = option(
        EXAMPLES,
        "show up to N examples of each finding on the page and in --json",
        metavar="N",
        parse=int,
    )
    write_clean: Path | None = option(
        None,
        "write every column of the corpus with the remedies, and what was done to each row; "
        ".csv, .tsv, .jsonl or .parquet",
        metavar="FILE",
        parse=local_path,
    )
    formulas: str = option(KEEP, FORMULAS_WORDS, choices=FORMULAS)
    remedies: str | None = option(
        None,
        "let --write-clean act on these findings",
        metavar="KIND[,KIND]",
        otherwise="those that are safe unread",
    )
