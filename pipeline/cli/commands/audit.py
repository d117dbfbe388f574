"""``manyheads audit``: find what is wrong with a corpus."""

from __future__ import annotations

import argparse

from pipeline.audit.config import AuditConfig
from pipeline.cli import options
from pipeline.cli.command import Answer
from pipeline.config import DataConfig, VectorConfig

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
    options.add_options(parser, AuditConfig)


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    from pipeline.training.preparation import check_first_rows, find_encoder

    config = options.from_arguments(AuditConfig, parsed)
    data = options.from_arguments(DataConfig, parsed)
    vectors = options.from_arguments(VectorConfig, parsed)
    check_first_rows(data)
    find_encoder(vectors)
    # Imported only now: this takes seconds, and what is wrong was answered before.
    from pipeline.audit.cleaned_file import check_targets, write_clean
    from pipeline.audit.cleaning import check_remedies, plan_cleaning

    remedies = check_remedies(config.remedies)
    check_targets(config.page, config.write_clean, (data.data, vectors.cache, vectors.encoder))
    from pipeline.audit.audit import run_audit
    from pipeline.audit.report.record import keep_audit
    from pipeline.audit.report.terminal import audit_text

    result = run_audit(data, vectors, examples=config.examples)
    keep_audit(vectors.cache, vectors.one_encoder, result)
    files: dict[str, str] = {}
    if config.page:
        from pipeline.audit.report.page import write_page

        write_page(result, config.page)
        files["page"] = str(config.page)
    if config.write_clean:
        plan = plan_cleaning(result.evidence, result.findings, remedies)
        kept, dropped = write_clean(
            result.evidence.corpus, plan, config.write_clean, config.formulas
        )
        files |= {"clean": str(kept)} | ({"dropped": str(dropped)} if dropped else {})
    shown = "".join(f"\n{FILES[name]}: {path}" for name, path in files.items())
    return Answer({**result.to_dict(), **files}, f"{audit_text(result)}\n{shown}")
