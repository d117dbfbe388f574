"""The pictures of the doctor's leading finding: slipped labels, and a pair of copies."""

from __future__ import annotations

from typing import Any

from features.corpus.corpus import Corpus
from pipeline.pages.copies import copied_pair
from pipeline.pages.figures.diagnosis import diagnosis_chart
from pipeline.runs.files.verdict import StoredFinding, StoredVerdict


def verdict(cause: str, **measurements: Any) -> StoredVerdict:
    """Return what the doctor said: one measured finding."""
    finding = StoredFinding(cause=cause, certainty="measured")
    return StoredVerdict(
        state="ill",
        lines=("It is ill.",),
        findings=(finding,),
        ruled_out=(),
        numbers=(),
        measurements=measurements,
    )


SLIPPED = {
    "agreement": 0.6,
    "expected": 0.3,
    "agreement_before": 0.8,
    "agreement_after": 0.3,
    "break_row": 51,
    "offset": 1,
    "offset_agreement": 0.8,
    "by_position": [[10, 0.8, 0.8], [40, 0.8, 0.8], [60, 0.3, 0.8], [90, 0.3, 0.8]],
}


def test_slipped_labels_are_drawn_along_the_file() -> None:
    chart = diagnosis_chart(verdict("labels_unrelated", neighbours=SLIPPED))
    assert chart is not None
    assert [each.name for each in chart.series] == [
        "moved back by 1 row",
        "as the file has them",
        "shuffled labels",
    ]
    assert [text for _, text in chart.marks] == ["data row 51"]
    assert "80% before data row 51 and 30% behind it" in chart.told
    assert "80% once they are moved back by 1 row" in chart.told


def test_without_a_move_that_helps_one_line_is_drawn() -> None:
    near = SLIPPED | {"offset": None, "by_position": [[10, 0.8, None], [60, 0.3, None]]}
    chart = diagnosis_chart(verdict("labels_unrelated", neighbours=near))
    assert chart is not None
    assert [each.name for each in chart.series] == ["as the file has them", "shuffled labels"]
    # of a file that an older version wrote
    assert diagnosis_chart(verdict("labels_unrelated", neighbours={"agreement": 0.5})) is None


def test_a_pair_of_copies_stands_side_by_side() -> None:
    corpus = Corpus(("my aunt died", "other", "my uncle died"), ("sad", "joy", "sad"))
    found = verdict("copies_across", sides={"examples": [[3, 1]]})
    held, original = copied_pair(found, corpus)
    assert (held.side, held.row, held.label) == ("validation", 3, "sad")
    assert (original.side, original.row) == ("training", 1)
    assert ("uncle", True) in held.parts
    assert ("aunt", True) in original.parts
    assert copied_pair(found, None) == ()
    assert copied_pair(verdict("copies_across", sides={"examples": [[9, 1]]}), corpus) == ()
    assert copied_pair(verdict("overfit", sides={"examples": [[3, 1]]}), corpus) == ()
    assert copied_pair(None, corpus) == ()
