"""``--write-clean``: the corpus with remedies, and what was done to each row.

plan_cleaning (pure) ──> Cleaned rows ──> write_clean: FILE, and FILE's .dropped sibling
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.corpus.columns import Columns
from features.corpus.source import Source
from features.duplicates.duplicates import leaked
from features.errors import SettingError
from features.messages import listed
from features.output import appearing, check_output
from pipeline import spreadsheet
from pipeline.audit.duplicates import within
from pipeline.audit.finding import Evidence, Finding
from pipeline.audit.giveaways import Giveaway, giveaways, without
from pipeline.audit.labels import conflicting, label_key
from pipeline.audit.rows import header_rows, invisible_rows
from pipeline.audit.texts import non_answers
from pipeline.console import print_note

Table = dict[str, list[object]]
"""Columns by name."""

DELIMITERS = {".csv": ",", ".tsv": "\t"}

KEPT = "kept"
AUDIT, ROW = "audit", "row"
"""Columns that are added: what was done, and the data row it was in the file read."""


@dataclass(frozen=True, eq=False)
class Cleaning:
    """What is done to N rows.

    Attributes:
        drop: (N,) bool.
        done: what was done to each row, ``kept`` where nothing was.
        texts, labels: N each, after the remedies.
    """

    drop: np.ndarray
    done: list[str]
    texts: list[str]
    labels: list[str]

    def note(self, rows: Sequence[int], what: str, drop: bool) -> None:
        """Say of some rows what is done to them; a dropped row keeps its first reason."""
        for row in rows:
            if self.drop[row]:
                continue
            before = "" if self.done[row] == KEPT else f"{self.done[row]}; "
            self.done[row] = f"dropped: {what}" if drop else f"{before}{what}"
            self.drop[row] = drop


Remedy = Callable[[Evidence, Cleaning], None]


def plan_cleaning(
    evidence: Evidence, findings: Sequence[Finding], remedies: Sequence[str]
) -> Cleaning:
    """What is done to each row.

    Args:
        findings: of the audit; suspected label errors are marked from them.
        remedies: kinds of findings to act on; see ``REMEDIES``.
    """
    cleaning = Cleaning(
        np.zeros(len(evidence.corpus), bool),
        [KEPT] * len(evidence.corpus),
        list(evidence.texts),
        list(evidence.labels) or [""] * len(evidence.corpus),
    )
    for kind in REMEDIES:
        if kind in remedies:
            REMEDIES[kind](evidence, cleaning)
    for finding in findings:
        if finding.kind == "label_errors":
            cleaning.note(finding.positions, "kept, label suspected", drop=False)
    return cleaning


def check_remedies(remedies: str | None) -> tuple[str, ...]:
    """The kinds that an option names, or the default ones.

    Raises:
        SettingError: a kind without a remedy; the known ones are listed.
    """
    if remedies is None:
        return DEFAULT
    named = [kind.strip() for kind in remedies.split(",")]
    kinds = tuple(FORMER_KINDS.get(kind, kind) for kind in named)
    unknown = [kind for kind in kinds if kind not in REMEDIES]
    if unknown:
        raise SettingError(
            f"--remedies names {listed(map(repr, unknown))}; there are remedies for "
            f"{listed(REMEDIES, maximum=len(REMEDIES))}"
        )
    return kinds


def check_targets(page: Path | None, path: Path | None, reads: Sequence[Source | str]) -> None:
    """Refuse outputs that cannot be written, are read or are the same, before any work.

    Args:
        page, path: of ``--page`` and ``--write-clean``; None where they are not wanted.
        reads: what the command reads: the data, the cache, the encoder.

    Raises:
        SettingError: an unknown format, one file for both, or a place that will not do.
        OutputError: a file that cannot be written.
    """
    if page is not None:
        check_output(page, "--page", reads)
    if path is None:
        return
    if path.suffix not in WRITERS:
        raise SettingError(
            f"--write-clean must end in one of {listed(WRITERS)}; got {str(path)!r}"
        )
    for each in (path, _dropped_path(path)):
        check_output(each, "--write-clean", reads)
        if page is not None and each.resolve() == page.resolve():
            raise SettingError(f"--page and --write-clean both write {each}; name another")


def write_clean(
    evidence: Evidence,
    cleaning: Cleaning,
    columns: Columns,
    path: Path,
    formulas: str = spreadsheet.KEEP,
) -> tuple[Path, Path | None]:
    """Write the rows that stay, and beside them those that were dropped, if any.

    Args:
        columns: of the file read; the others are not written.
        formulas: what to do in CSV and TSV about cells that a spreadsheet would run; see
            ``spreadsheet.FORMULAS``. Escaped, they are other texts to whoever reads them.

    Returns:
        The two files.

    Raises:
        OutputError: a file cannot be written.
    """
    table: Table = {columns.text: [*cleaning.texts]}
    if evidence.corpus.labels is not None and columns.label:
        table[columns.label] = [*cleaning.labels]
    if evidence.corpus.splits is not None and columns.split:
        table[columns.split] = [*evidence.corpus.splits]
    table[_free(ROW, table)] = [*evidence.corpus.rows]
    table[_free(AUDIT, table)] = [*cleaning.done]
    table = _escaped(table, path, formulas) if path.suffix in DELIMITERS else table
    dropped = _dropped_path(path)
    _write(path, _chosen(table, np.flatnonzero(~cleaning.drop)))
    if not cleaning.drop.any():
        dropped.unlink(missing_ok=True)
        return path, None
    _write(dropped, _chosen(table, np.flatnonzero(cleaning.drop)))
    return path, dropped


def _dropped_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}.dropped{path.suffix}")


def _escaped(table: Table, path: Path, formulas: str) -> Table:
    """The table as ``formulas`` asks; a note where cells are kept that would be run."""
    if formulas == spreadsheet.ESCAPE:
        return {name: spreadsheet.escaped(cells) for name, cells in table.items()}
    count = sum(spreadsheet.is_formula(cell) for cells in table.values() for cell in cells)
    if count:
        print_note(
            f"note: {count:,} cells of {path.name} begin as a formula does and stand there as "
            "they are, to train on; --formulas escape makes the file safe for a spreadsheet"
        )
    return table


def _free(name: str, table: Table) -> str:
    while name in table:
        name = f"{name}_"
    return name


def _chosen(table: Table, rows: np.ndarray) -> Table:
    return {name: [values[i] for i in rows.tolist()] for name, values in table.items()}


def _drop_headers(evidence: Evidence, cleaning: Cleaning) -> None:
    cleaning.note(header_rows(evidence), "the header again", drop=True)


def _drop_invisible(evidence: Evidence, cleaning: Cleaning) -> None:
    cleaning.note(invisible_rows(evidence), "the text shows nothing", drop=True)


def _drop_conflicts(evidence: Evidence, cleaning: Cleaning) -> None:
    rows = conflicting(evidence).tolist()
    cleaning.note(rows, "the text has several labels", drop=True)


def _drop_non_answers(evidence: Evidence, cleaning: Cleaning) -> None:
    cleaning.note(non_answers(evidence).tolist(), "a non-answer", drop=True)


def _drop_repeats(evidence: Evidence, cleaning: Cleaning, level: str) -> None:
    pairing = next(pairing for pairing in within(evidence) if pairing.level == level)
    for row, partner in zip(pairing.rows.tolist(), pairing.partners.tolist(), strict=True):
        # A repeat stands in for a first one that went for another reason.
        if not cleaning.drop[partner]:
            number = evidence.corpus.rows[partner]
            cleaning.note([row], f"{level} copy of row {number}", drop=True)


def _drop_leaking(evidence: Evidence, cleaning: Cleaning, near: bool) -> None:
    """Earlier sides give way: held-out texts stay, so that scores stay comparable."""
    for side in (0, 1):
        rows = np.flatnonzero((evidence.side == side) & ~cleaning.drop)
        later = np.flatnonzero((evidence.side > side) & ~cleaning.drop)
        if near:
            hit = leaked(evidence.copies, later, rows)
        else:
            hit = np.isin(evidence.copies.normalized[rows], evidence.copies.normalized[later])
        what = "a near-copy is held out" if near else "a copy is held out"
        cleaning.note(rows[hit].tolist(), what, drop=True)


def _join_variants(evidence: Evidence, cleaning: Cleaning) -> None:
    counts = Counter(evidence.labels)
    usual: dict[str, str] = {}
    for label, _ in counts.most_common():
        usual.setdefault(label_key(label), label)
    for row, label in enumerate(evidence.labels):
        best = usual[label_key(label)]
        if best != label:
            cleaning.labels[row] = best
            cleaning.note([row], f"label {label!r} written {best!r}", drop=False)


def _remove_giveaways(evidence: Evidence, cleaning: Cleaning) -> None:
    found: list[Giveaway] = giveaways(evidence)
    for row, text in enumerate(cleaning.texts):
        shorter, removed = without(text, found)
        if removed and shorter.strip():
            cleaning.texts[row] = shorter
            cleaning.note([row], f"taken out: {listed(map(repr, removed))}", drop=False)


REMEDIES: dict[str, Remedy] = {
    "header_rows": _drop_headers,
    "invisible_texts": _drop_invisible,
    "label_variants": _join_variants,
    "label_conflicts": _drop_conflicts,
    "non_answers": _drop_non_answers,
    "exact_duplicates_across_splits": partial(_drop_leaking, near=False),
    "normalized_duplicates_across_splits": partial(_drop_leaking, near=False),
    "near_duplicates_across_splits": partial(_drop_leaking, near=True),
    "exact_duplicates_within_splits": partial(_drop_repeats, level="exact"),
    "normalized_duplicates_within_splits": partial(_drop_repeats, level="normalized"),
    "near_duplicates_within_splits": partial(_drop_repeats, level="near"),
    "giveaways": _remove_giveaways,
}
"""Remedies by the kind of finding that they answer, in the order in which they act."""

FORMER_KINDS = {
    f"{former}_copies_{where}_splits": f"{now}_duplicates_{where}_splits"
    for former, now in (("exact", "exact"), ("folded", "normalized"), ("near", "near"))
    for where in ("across", "within")
}
"""What audits of ``--json`` version 1 called the kinds; ``--remedies`` takes these too."""

DEFAULT = tuple(
    kind for kind in REMEDIES if kind not in ("near_duplicates_within_splits", "giveaways")
)


def _write(path: Path, table: Table) -> None:
    with appearing(path, "--write-clean") as temporary:
        WRITERS[path.suffix](table, temporary)


def _write_delimited(table: Table, path: Path, delimiter: str) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))


def _write_jsonl(table: Table, path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for values in zip(*table.values(), strict=True):
            row = dict(zip(table, values, strict=True))
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_parquet(table: Table, path: Path) -> None:
    pq.write_table(pa.table(table), path)


WRITERS: dict[str, Callable[[Table, Path], None]] = {
    **{
        suffix: partial(_write_delimited, delimiter=delimiter)
        for suffix, delimiter in DELIMITERS.items()
    },
    ".jsonl": _write_jsonl,
    ".parquet": _write_parquet,
}
"""How a corpus is written, by suffix."""
