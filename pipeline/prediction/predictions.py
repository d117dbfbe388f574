"""Predictions: the labels that a run gives to texts, with how sure it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from features.messages import many
from pipeline.console import one_line
from pipeline.prediction.explain import WordWeights, strongest
from pipeline.prediction.provenance import Provenance
from pipeline.prediction.uncertainty import SURE, Uncertainty
from pipeline.runs.files.explained_word import ExplainedWord
from pipeline.runs.files.training_texts import Neighbor

LONGEST_LABEL, LONGEST_TEXT = 60, 80
"""Characters of a label and of a text on the terminal."""

UNSURE = "(no label)"
"""What people see in place of a label that is not given."""

SHOWN_WORDS = 5
"""Words that people see of a text, those of greatest weight."""

SHOWN = 10
"""Texts that a notebook shows."""


@dataclass(frozen=True, eq=False, repr=False)
class Predictions(Sequence[str]):
    """Labels for texts, and a sequence of those labels.

    Attributes:
        run: the run or model folder that gave them.
        texts: N texts.
        classes: C labels.
        probabilities: (N, C) float32, each row summing to 1.
        truncated: (N,) bool, texts longer than the encoder sees.
        neighbors: for each text the training texts nearest to it; empty if not asked for.
        rows: data row of each text, from 1, where rows were left out; otherwise empty.
        provenance: what the run was trained on; None where nobody asked.
        warnings: what makes the labels doubtful, one line each.
        uncertainty: the rules by which texts get no label, or several.
        words: the words of each text with their weights; None if not asked for.
        unusual: (N,) bool, texts less like any training text than held-out texts were; None of
            a run that cannot tell.
    """

    run: Path
    texts: Sequence[str]
    classes: tuple[str, ...]
    probabilities: np.ndarray
    truncated: np.ndarray
    neighbors: Sequence[tuple[Neighbor, ...]] = ()
    rows: Sequence[int] = ()
    provenance: Provenance | None = None
    warnings: tuple[str, ...] = ()
    uncertainty: Uncertainty = SURE
    words: WordWeights | None = None
    unusual: np.ndarray | None = None

    @property
    def labels(self) -> list[str]:
        """N labels, the most probable of each text."""
        return [self.classes[i] for i in self.probabilities.argmax(axis=1)]

    @property
    def confidence(self) -> np.ndarray:
        """(N,) float32: the probability of each label."""
        values: np.ndarray = self.probabilities.max(axis=1)
        return values

    @cached_property
    def given(self) -> list[str | None]:
        """N labels; None where the run is not sure enough to give one."""
        abstained = self.uncertainty.abstained(self.probabilities)
        if abstained is None:
            return list(self.labels)
        pairs = zip(self.labels, abstained.tolist(), strict=True)
        return [None if none else label for label, none in pairs]

    @cached_property
    def label_sets(self) -> list[tuple[str, ...]]:
        """N sets of labels, the most probable first; empty if not asked for."""
        return self.uncertainty.label_sets(self.probabilities, self.classes) or []

    @property
    def probability_columns(self) -> list[str]:
        """C column names, ``probability:<label>``."""
        return [f"probability:{name}" for name in self.classes]

    def __len__(self) -> int:
        return len(self.texts)

    def __iter__(self) -> Iterator[str]:
        return iter(self.labels)

    def __getitem__(self, index: Any) -> Any:
        return self.labels[index]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.labels, dtype=dtype)

    def to_dict(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {
            **self.about(),
            "predictions": [
                {
                    **({"row": self.rows[place]} if len(self.rows) else {}),
                    "text": text,
                    "label": label,
                    **({"labels": list(self.label_sets[place])} if self.label_sets else {}),
                    "probabilities": dict(zip(self.classes, map(rounded, row), strict=True)),
                    "unusual": None if self.unusual is None else bool(self.unusual[place]),
                    **({"neighbors": list(map(asdict, near))} if self.neighbors else {}),
                    **(
                        {"words": list(map(asdict, self.words.texts[place]))}
                        if self.words
                        else {}
                    ),
                }
                for place, (text, label, row, near) in enumerate(
                    zip(
                        self.texts,
                        self.given,
                        self.probabilities.tolist(),
                        self.neighbors or [()] * len(self.texts),
                        strict=True,
                    )
                )
            ],
        }

    def about(self) -> dict[str, Any]:
        """Which run answered, and what is to be said of all texts together."""
        return {
            "run": str(self.run),
            "model": self.provenance.to_dict() if self.provenance else None,
            "truncated": int(self.truncated.sum()),
            "warnings": list(self.warnings),
            **({"word_weights": self.words.unit} if self.words else {}),
            **self.uncertainty.to_dict(),
        }

    def __repr__(self) -> str:
        texts = many(len(self), "text")
        return f"Predictions of {texts} by {self.run.name}: {self.labels[:SHOWN]}"

    def _repr_html_(self) -> str:
        """A table of the first texts, for notebooks."""
        from html import escape

        shown = min(len(self), SHOWN)
        cells = zip(self.texts, self.labels, self.confidence.tolist(), strict=True)
        rows = "".join(
            f"<tr><td>{escape(one_line(text, LONGEST_TEXT))}</td>"
            f"<td>{escape(one_line(label, LONGEST_LABEL))}</td><td>{share:.1%}</td></tr>"
            for text, label, share in islice(cells, shown)
        )
        rest = f"<p>and {len(self) - shown:,} more</p>" if len(self) > shown else ""
        head = "<tr><th>text</th><th>predicted</th><th>confidence</th></tr>"
        return f"<table>{head}{rows}</table>{rest}"

    def to_text(self) -> str:
        """For people: each text's label and its three most probable classes."""
        lines = []
        near = self.neighbors or [()] * len(self.texts)
        names = [one_line(name, LONGEST_LABEL) for name in self.classes]
        rows = zip(self.texts, self.probabilities, near, self.given, strict=True)
        for place, (text, row, neighbors, given) in enumerate(rows):
            best = np.argsort(-row, kind="stable")[:3]
            shares = ", ".join(f"{names[i]} {row[i]:.1%}" for i in best)
            label = UNSURE if given is None else names[best[0]]
            lines.append(f"{label}\t({shares})\t{one_line(text, LONGEST_TEXT)}")
            if self.label_sets:
                inside = (one_line(name, LONGEST_LABEL) for name in self.label_sets[place])
                lines.append(f"    set: {', '.join(inside) or 'no label'}")
            if self.words:
                lines.append(f"    words: {_words_line(self.words.texts[place])}")
            lines += [
                f"    {each.similarity:.2f} [{one_line(each.label, LONGEST_LABEL)}] "
                f"{one_line(each.text, LONGEST_TEXT)} (training row {each.row:,})"
                for each in neighbors
            ]
        return "\n".join(lines)


def _words_line(words: tuple[ExplainedWord, ...]) -> str:
    """Return the words of greatest weight, for people."""
    shown = (
        f"{one_line(each.word, LONGEST_LABEL)} {each.weight:+.2f}"
        for each in strongest(words, SHOWN_WORDS)
    )
    return ", ".join(shown) or "cannot be weighed one by one"


def rounded(probability: float) -> float:
    """Return a probability as it is written: to six digits."""
    return round(probability, 6)
