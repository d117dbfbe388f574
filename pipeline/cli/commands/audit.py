"""``manyheads audit``: find what is wrong with a corpus."""

from __future__ import annotations

import argparse
from pathlib import Path

from features.options import NONE
from features.storage.location import local_path
from pipeline.cli import options
from pipeline.cli.command import Answer
from pipeline.config import DataConfig, VectorConfig
from pipeline.spreadsheet import KEEP

FILES = {
    "page": "Page with all of it",
    "clean": "Cleaned corpus",
    "dropped": "Rows left out of it",
}
"""What the files that an audit writes are called."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads audit``."""
    options.add_options(parser, DataConfig, without=options.SPLIT)
    options.add_options(parser, VectorConfig)
    parser.add_argument(
        "--page",
        type=local_path,
        default=Path("audit.html"),
        metavar="FILE",
        help="write the findings with their texts as this HTML page, or none (default: "
        "audit.html)",
    )
    parser.add_argument(
        "--examples",
        type=int,
        default=10,
        metavar="N",
        help="show up to N examples of each finding on the page and in --json (default: 10)",
    )
    parser.add_argument(
        "--write-clean",
        type=local_path,
        metavar="FILE",
        help="write the corpus with the remedies, and what was done to each row; "
        ".csv, .tsv, .jsonl or .parquet",
    )
    options.formulas_option(parser, KEEP)
    parser.add_argument(
        "--remedies",
        metavar="KIND[,KIND]",
        help="let --write-clean act on these findings (default: those that are safe unread)",
    )


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    from pipeline.training.preparation import check_first_rows, find_encoder

    data = options.from_arguments(DataConfig, parsed)
    vectors = options.from_arguments(VectorConfig, parsed)
    check_first_rows(data)
    find_encoder(vectors)
    # Imported only now: this takes seconds, and what is wrong was answered before.
    from pipeline.audit.audit import run_audit
    from pipeline.audit.cleaning import (
        check_remedies,
        check_targets,
        plan_cleaning,
        write_clean,
    )
    from pipeline.audit.report.terminal import audit_text

    remedies = check_remedies(parsed.remedies)
    page = None if str(parsed.page) == NONE else parsed.page
    check_targets(page, parsed.write_clean, (data.data, vectors.cache, vectors.encoder))
    result = run_audit(data, vectors, examples=parsed.examples)
    files: dict[str, str] = {}
    if page:
        from pipeline.audit.report.page import write_page

        write_page(result, page)
        files["page"] = str(page)
    if parsed.write_clean:
        plan = plan_cleaning(result.evidence, result.findings, remedies)
        kept, dropped = write_clean(
            result.evidence, plan, data.columns, parsed.write_clean, parsed.formulas
        )
        files |= {"clean": str(kept)} | ({"dropped": str(dropped)} if dropped else {})
    shown = "".join(f"\n{FILES[name]}: {path}" for name, path in files.items())
    return Answer({**result.to_dict(), **files}, f"{audit_text(result)}\n{shown}")
