"""The service without HTTP: its run, its queue, and how it changes to a newer run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from threading import Lock
from typing import Any

from features.errors import BadVectorError, InputError, ManyheadsError
from features.storage.location import Location
from pipeline.console import one_line, print_note
from pipeline.encoding.vectors import load_encoder
from pipeline.models.config import UncertaintyConfig
from pipeline.models.model import MODEL
from pipeline.prediction.encoders import LoadedOnce
from pipeline.prediction.explain import NOTHING, Explain
from pipeline.prediction.predictor import Predictor
from pipeline.prediction.uncertainty import Uncertainty
from pipeline.runs.folder import find_run
from pipeline.serving.batcher import Batcher, QueueFullError
from pipeline.serving.config import ServeConfig
from pipeline.serving.metrics import Metrics
from pipeline.serving.model import ServedModel, TextAnswer
from pipeline.serving.requests import RefusedError, check_texts

RELOAD_SECONDS = 600.0


class Service:
    """A run that answers texts, as often as wanted.

    Args:
        run, runs, cache: as ``Predictor.load``.
        config: limits and places.
        uncertainty: by which rules texts get no label, or several.
        more: further keywords of ``Predictor.load``.

    Raises:
        ManyheadsError: the run cannot be opened, or its encoder not be loaded.
    """

    def __init__(
        self,
        run: str,
        runs: Path,
        cache: Location,
        config: ServeConfig,
        uncertainty: UncertaintyConfig,
        **more: Any,
    ) -> None:
        self.config = config
        self.metrics = Metrics()
        self.token = config.token()
        self._run, self._runs, self._cache = run, runs, cache
        self._uncertainty, self._more = uncertainty, more
        self._encoders = LoadedOnce(more.pop("load", None) or load_encoder)
        self.model = self._opened()
        self.batcher = Batcher(
            self.model,
            config.delay / 1000,
            config.batch_tokens,
            config.queue,
            self.metrics,
        )
        self._changing = Lock()

    def _opened(self) -> ServedModel:
        predictor = Predictor.load(
            self._run, self._runs, self._cache, load=self._encoders, **self._more
        )
        rules = Uncertainty.of(predictor.opened, self._uncertainty)
        for line in (*predictor.provenance.lines(), *rules.lines()):
            print_note(line)
        return ServedModel(predictor, rules, self.config.keep_vectors)

    async def answer(self, texts: list[str], explain: Explain = NOTHING) -> list[TextAnswer]:
        """Return an answer per text. Raises ``RefusedError``."""
        check_texts(texts, self.config)
        if lacking := self._lacking(explain):
            raise RefusedError(409, f"this run gives nothing of what is asked for: {lacking}")
        try:
            answers = await self.batcher.answer(texts, self.config.timeout, explain)
        except QueueFullError:
            raise RefusedError(
                429, f"{self.config.queue:,} texts may wait (--queue); try again", wait=1
            ) from None
        except TimeoutError:
            raise RefusedError(
                503, f"no answer in {self.config.timeout:g} seconds (--timeout)", wait=1
            ) from None
        except (InputError, BadVectorError) as error:
            raise RefusedError(422, str(error)) from None
        self._count(texts, answers)
        return answers

    def _lacking(self, explain: Explain) -> str:
        """Return why the run gives nothing of an explanation; "" if it gives some of it."""
        reasons = [self.model.no_neighbors] if explain.neighbors else []
        reasons += [self.model.no_words] if explain.words else []
        return "" if not all(reasons) else "; ".join(reasons)

    def _count(self, texts: list[str], answers: list[TextAnswer]) -> None:
        for each in answers:
            if each.label is None:
                self.metrics.count("abstained")
            if each.truncated:
                self.metrics.count("truncated")
            if each.unusual:
                self.metrics.count("unusual")
        if self.config.log_texts:
            for text, each in zip(texts, answers, strict=True):
                print_note(f"{one_line(each.label or '(no label)')}\t{one_line(text)}")

    async def reload(self) -> dict[str, Any]:
        """Change to the run that the name stands for now; texts that wait are answered.

        Raises:
            RefusedError: another change is under way, or the run cannot be opened; the
                present one stays.
        """
        if not self._changing.acquire(blocking=False):
            raise RefusedError(409, "the service is changing to another run already", wait=5)
        try:
            future = asyncio.wrap_future(self.batcher.call(self._changed))
            changed = await asyncio.wait_for(future, RELOAD_SECONDS)
        except TimeoutError:
            raise RefusedError(503, "the run could not be opened in time", wait=60) from None
        except ManyheadsError as error:
            raise RefusedError(409, f"{self.model.name} stays: {error}") from None
        finally:
            self._changing.release()
        return {"run": self.model.name, "changed": changed}

    def _changed(self) -> bool:
        """Open the newer run, if there is one. In the thread of the encoder."""
        if (Path(self._run) / MODEL).is_file():
            return False
        folder = self.model.predictor.opened.folder
        if find_run(self._run, self._runs).resolve() == folder.resolve():
            return False
        self.model = self.batcher.model = self._opened()
        self._encoders.keep(self.model.models)
        self.metrics.count("reloads")
        return True
