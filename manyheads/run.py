"""A finished run: its scores, its pictures, and its labels for new texts."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from features.corpus.columns import Columns
from features.corpus.corpus import read_corpus
from features.errors import ArrayError, CacheError
from features.storage.location import Location, parse_location
from features.text.keys import text_keys
from manyheads.data import columns_of, is_frame, is_source, texts_of
from manyheads.keywords import errors_by_keyword
from manyheads.pictures import Picture, find_picture
from pipeline.config import ExperimentConfig, VectorConfig
from pipeline.console import print_note
from pipeline.evaluation.evaluation import Score, score
from pipeline.evaluation.result import Scores
from pipeline.prediction.explain import Explain
from pipeline.prediction.predictions import Predictions
from pipeline.prediction.predictor import Predictor
from pipeline.runs.columns import columns_of as trained_columns
from pipeline.runs.files.json_format import read_object
from pipeline.runs.folder import CONFIG, METRICS, find_run
from pipeline.runs.reader import read_predictions, read_scores

RETRAIN = "train the run again"


class Run:
    """A run folder.

    ``train`` and ``load_run`` make it. Files are read, and the encoder is loaded, when they are
    first needed.

    Attributes:
        folder: where it is.
    """

    def __init__(
        self,
        folder: Path,
        cache: Location,
        *,
        encoders: Sequence[str] = (),
        memory: float | None = None,
        trust_remote_code: bool = False,
        device: str = ExperimentConfig.device,
    ) -> None:
        self.folder = folder
        self._cache = cache
        self._encoders = tuple(encoders)
        self._memory = memory
        self._trust_remote_code = trust_remote_code
        self._device = device

    @property
    def name(self) -> str:
        """Its name, which ``load_run`` and ``manyheads predict`` take."""
        return self.folder.name

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """Everything that was measured: the content of ``metrics.json``."""
        return read_object(self.folder / METRICS, RETRAIN)

    @cached_property
    def config(self) -> dict[str, Any]:
        """What was asked for: the content of ``config.json``."""
        return read_object(self.folder / CONFIG, RETRAIN)

    @cached_property
    def scores(self) -> Scores:
        """The same as ``metrics``, as one typed value."""
        return read_scores(self.folder)

    @property
    def head(self) -> str:
        """Name of the head, or ``blend``."""
        return self.scores.head

    @property
    def validation(self) -> Score:
        """Its score on the validation texts, by which choices are made."""
        return self.scores.validation

    @property
    def test(self) -> Score:
        """Its score on the test texts: accuracy, macro-F1, 95 % interval, number of texts."""
        return self.scores.test

    @property
    def classes(self) -> tuple[str, ...]:
        """C labels, in the order of the columns of probabilities."""
        return self._predictor.opened.labels

    @cached_property
    def predictions(self) -> pa.Table:
        """What it says of each held-out text: ``row``, ``side``, ``label``, ``predicted``,
        ``confidence``, ``fold``; ``predictions.to_pandas()`` is a data frame."""
        return read_predictions(self.folder)

    @cached_property
    def errors(self) -> list[dict[str, Any]]:
        """The test texts that it labels wrongly, the surest first; none of a blend."""
        path = self.folder / "errors.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]

    def picture(self, name: str) -> Picture:
        """Return a picture, which a notebook shows.

        Args:
            name: such as ``confusion``, ``curves`` or ``calibration``.

        Raises:
            SettingError: there is none; the message lists those that there are.
        """
        return find_picture(self.folder, name)

    def predict(self, texts: Any, explain: int | str = 0) -> Predictions:
        """Label texts.

        Args:
            texts: N texts: a list, an array, a series, or a data frame with the column that the
                run was trained on.
            explain: how many of the nearest training texts to give for each text; ``words``
                weighs its words, and ``words,3`` does both.

        Returns:
            A sequence of N labels, which also has ``confidence``, ``probabilities``,
            ``neighbors`` and ``words``.

        Raises:
            ArrayError: a value that is no text, or is empty.
            CacheError: the run is damaged, or there is nothing to explain by.
            EncoderError: the encoder cannot be loaded, or is not the one of the run.
        """
        with errors_by_keyword():
            return self._predictor.predict(
                texts_of(texts, self._columns.text), Explain.of(explain)
            )

    def evaluate(self, data: Any, labels: Any = None) -> Score:
        """Return the score on other labelled texts; a label that the run lacks is wrong.

        Args:
            data: N texts, a data frame, or a file.
            labels: N labels of texts.

        Raises:
            ArrayError, CorpusError: labels lack, or texts and labels cannot be read.
            CacheError, EncoderError: as ``predict``.
        """
        with errors_by_keyword():
            return self._evaluate(data, labels)

    def _evaluate(self, data: Any, labels: Any) -> Score:
        columns = self._columns
        if is_source(data):
            corpus = read_corpus(data, columns)
            texts, found = list(corpus.texts), list(corpus.labels or ())
        else:
            wanted = [columns.text, columns.label or ""]
            cells = columns_of(data, labels, wanted)
            text, label = wanted if is_frame(data) else cells
            if label not in cells:
                raise ArrayError(f"the data frame has no column {label!r} of labels")
            texts, found = texts_of(cells.get(text, ())), [str(each) for each in cells[label]]
        predicted = self.predict(texts)
        self._say_learned(texts)
        names = [*predicted.classes, *sorted(set(found) - set(predicted.classes))]
        places = {name: i for i, name in enumerate(names)}
        truth = np.array([places[label] for label in found], np.int64)
        return score(truth, predicted.probabilities.argmax(axis=1))

    def _say_learned(self, texts: Sequence[str]) -> None:
        """Say how many of some texts the run learned from."""
        try:
            known = self._predictor.training.keys
        except CacheError:  # an exported model keeps none
            return
        if learned := int(np.isin(text_keys(texts), known).sum()):
            print_note(
                f"note: the run learned from {learned:,} of these {len(texts):,} texts, which "
                "flatters the score"
            )

    @cached_property
    def _predictor(self) -> Predictor:
        return Predictor.load(
            str(self.folder),
            self.folder.parent,
            self._cache,
            encoders=self._encoders,
            trust_remote_code=self._trust_remote_code,
            memory=self._memory,
            device=self._device,
        )

    @property
    def _columns(self) -> Columns:
        return trained_columns(str(self.folder), self.folder.parent)

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}: {self.head}, test accuracy: {self.test.told})"

    def _repr_html_(self) -> str:
        """A table for notebooks: the scores of the head and of the baselines."""
        lines = "".join(
            f"<tr><td>{side}</td><td>{html.escape(who)}</td>"
            f"{''.join(f'<td>{cell}</td>' for cell in each.cells)}<td>{each.texts:,}</td></tr>"
            for side, who, each in self.scores.rows
        )
        return (
            f"<b>{html.escape(self.name)}</b><table><tr><th>texts</th><th></th>"
            "<th>accuracy</th><th>macro-F1</th><th>95 % interval</th><th>number</th></tr>"
            f"{lines}</table>"
        )


def load_run(
    run: str | Path = "latest",
    *,
    runs: str | Path = ExperimentConfig.runs,
    cache: str | Location = VectorConfig.cache,
    encoder: str | Sequence[str] = (),
    memory: float | None = None,
    trust_remote_code: bool = False,
    device: str = ExperimentConfig.device,
) -> Run:
    """Return a finished run.

    Args:
        run: a run folder, its name, or ``latest``.
        runs: the folder of runs.
        cache: the feature store; new texts are added to it.
        encoder: where its encoder is now, if it was moved; of a blend several.
        memory: GB that vectors may take; None: half of what is available.
        trust_remote_code: run the Python code that comes with the encoder.
        device: what the heads predict on, such as ``cpu``; ``auto`` is a GPU if there is one.

    Raises:
        CacheError: there is no such run, or it failed.
    """
    with errors_by_keyword():
        folder = find_run(str(run), Path(runs).expanduser())
    return Run(
        folder,
        parse_location(cache),
        encoders=(encoder,) if isinstance(encoder, str) else encoder,
        memory=memory,
        trust_remote_code=trust_remote_code,
        device=device,
    )
