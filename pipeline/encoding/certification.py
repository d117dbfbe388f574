"""``manyheads features --certify``: measure on a sample what each stored form costs.

A sample of the corpus is encoded in float32. Each stored form is then written and read as the
store would, and compared with it: cosines, bytes per text, and the accuracy of a quick head.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from features.corpus.corpus import Corpus
from features.encoders.description.model import EncoderModel, find_model
from features.encoders.protocol import Encoder
from features.encoding.bad_vectors import sound_texts
from features.errors import BadVectorError, SettingError
from features.probe.probe import probe
from features.vectors.block import Block
from features.vectors.precision import STORED_DTYPES, pack, unpack, vector_bytes
from features.vectors.sizes import ROW_BYTES
from features.vectors.spec import DEFAULT_LAYOUTS, FeatureSpec, parse_layers
from pipeline.config import DataConfig, VectorConfig
from pipeline.console import print_note, table
from pipeline.corpora import read_data
from pipeline.encoding.vectors import chosen_devices, load_encoder, named_devices
from pipeline.progress import Progress, duration

FOLDS = 5
REFERENCE = ("float32", "float32")

COLUMNS = (
    "layout",
    "stored",
    "products",
    "smallest cosine",
    "mean cosine",
    "accuracy",
    "change",
    "bytes/text",
)


@dataclass(frozen=True)
class Cost:
    """What one stored form costs in one layout, against float32 throughout.

    Attributes:
        layout: of the vectors.
        dtype: stored form.
        precision: of the encoder's matrix products.
        smallest_cosine, mean_cosine: over all vectors of the sample.
        accuracy: of a logistic head on the (mean) vector of each text, cross-validated on the
            sample, in [0, 1]; None where the sample has no two classes of enough texts.
        accuracy_change: against the same head on float32.
        bytes_per_text: stored bytes of a text in the mean.
    """

    layout: str
    dtype: str
    precision: str
    smallest_cosine: float
    mean_cosine: float
    accuracy: float | None
    accuracy_change: float | None
    bytes_per_text: float


@dataclass(frozen=True)
class Certificate:
    """The costs of every form, measured on ``texts`` texts.

    ``left_out`` more had vectors that the store refuses: NaN, infinite or all zero.
    """

    model: str
    texts: int
    costs: Sequence[Cost]
    seconds: float
    left_out: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        return {
            "model": self.model,
            "texts": self.texts,
            "texts_left_out": self.left_out,
            "costs": [asdict(cost) for cost in self.costs],
            "seconds": round(self.seconds, 3),
        }

    def to_text(self) -> str:
        """Return a table for people."""
        lines = [
            table(COLUMNS, map(_row, self.costs), align="<<<>>>>>"),
            f"{self.texts:,} texts against float32 throughout, in {duration(self.seconds)}; "
            "change in points of accuracy",
        ]
        if self.left_out:
            lines.append(
                f"{self.left_out:,} more texts were left out: their vectors, or those of one "
                "stored form, are NaN, infinite or all zero"
            )
        return "\n".join(lines)


def _row(cost: Cost) -> tuple[str, ...]:
    accuracy = change = "-"
    if cost.accuracy is not None and cost.accuracy_change is not None:
        accuracy, change = f"{cost.accuracy:.1%}", f"{cost.accuracy_change * 100:+.1f}"
    return (
        cost.layout,
        cost.dtype,
        cost.precision,
        f"{cost.smallest_cosine:.6f}",
        f"{cost.mean_cosine:.6f}",
        accuracy,
        change,
        f"{cost.bytes_per_text:,.0f}",
    )


def certify(
    data: DataConfig,
    vectors: VectorConfig,
    layout: str | None,
    sample: int,
    load: Callable[[EncoderModel], Encoder] | None = None,
) -> Certificate:
    """Measure every stored form on a sample of a corpus. Stores nothing.

    Args:
        sample: texts to measure on.
        load: gives the encoder; None loads the model itself.

    Raises:
        InputError: data, an encoder or settings that will not do.
        BadVectorError: no text has vectors that can be stored.
    """
    if sample < 2:
        raise SettingError(f"--certify takes a number of texts from 2; got {sample}")
    start = time.perf_counter()
    corpus = read_data(data, labels=False)
    rows = _sample(corpus, sample)
    texts = [corpus.texts[row] for row in rows]
    labels = [corpus.labels[row] for row in rows] if corpus.labels else None
    model = find_model(vectors.one_encoder, vectors.trust_remote_code)
    layers = parse_layers(vectors.layers, model.depth)
    prompt = model.chosen_prompt(vectors.prompt, vectors.prompt_name)
    layouts = DEFAULT_LAYOUTS if layout is None else (layout,)
    options = vectors.on(named_devices(vectors))
    device = next(iter(chosen_devices(vectors)), None)
    encoder = load(model) if load else load_encoder(model, vectors.backend, device)
    if hasattr(encoder, "unpadded"):  # nothing is stored, but these too change with padding
        probe(encoder, [model.spec(x, layers, prompt=prompt) for x in layouts], print_note)
    blocks: dict[tuple[str, str], Block] = {}
    for products in dict.fromkeys(("float32", options.precision)):
        specs = [
            model.spec(x, layers, options, dtype="float32", precision=products, prompt=prompt)
            for x in layouts
        ]
        done = _encoded(encoder, texts, specs)
        blocks |= {(x, products): block for x, block in zip(layouts, done, strict=True)}
    sound = _sound(blocks, specs[0])
    blocks = {name: block.take(sound) for name, block in blocks.items()}
    labels = [labels[index] for index in sound.tolist()] if labels else None
    costs = []
    for name in layouts:
        reference = blocks[name, "float32"]
        base = _accuracy(reference, reference.values, labels)
        forms = dict.fromkeys(
            [REFERENCE, *((dtype, options.precision) for dtype in STORED_DTYPES)]
        )
        costs += [
            _cost(name, dtype, products, reference, blocks[name, products], labels, base)
            for dtype, products in forms
        ]
    seconds = time.perf_counter() - start
    return Certificate(model.label, len(sound), costs, seconds, len(texts) - len(sound))


def _sound(blocks: Mapping[tuple[str, str], Block], spec: FeatureSpec) -> np.ndarray:
    """Return the rising positions of texts whose vectors every stored form can hold."""
    sound = np.logical_and.reduce(
        [
            sound_texts(block, replace(spec, dtype=dtype))
            for block in blocks.values()
            for dtype in STORED_DTYPES
        ]
    )
    if not sound.any():
        raise BadVectorError(
            f"the encoder gave NaN, infinite or all-zero vectors for all {len(sound)} texts of "
            "the sample; choose another with --encoder, or use --precision float32"
        )
    return np.flatnonzero(sound)


def _encoded(
    encoder: Encoder, texts: Sequence[str], specs: Sequence[FeatureSpec]
) -> list[Block]:
    with Progress(f"encoding in {specs[0].precision}", len(texts), "texts") as progress:
        return encoder.encode(texts, specs, lambda count, tokens: progress.advance(count))


def _sample(corpus: Corpus, count: int) -> list[int]:
    """Return rows of distinct texts in corpus order; the same rows every time."""
    first = list({text: row for row, text in reversed(list(enumerate(corpus.texts)))}.values())
    rng = np.random.default_rng(0)
    return sorted(rng.choice(sorted(first), min(count, len(first)), replace=False).tolist())


def _cost(
    layout: str,
    dtype: str,
    precision: str,
    reference: Block,
    block: Block,
    labels: Sequence[str] | None,
    base: float | None,
) -> Cost:
    width = block.values.shape[1]
    back = unpack(pack(block.values, dtype), dtype, width).astype(np.float32)
    norms = np.linalg.norm(back, axis=1) * np.linalg.norm(reference.values, axis=1)
    cosines = np.einsum("ij,ij->i", back, reference.values, dtype=np.float64) / norms
    accuracy = _accuracy(block, back, labels)
    return Cost(
        layout=layout,
        dtype=dtype,
        precision=precision,
        smallest_cosine=float(cosines.min()),
        mean_cosine=float(cosines.mean()),
        accuracy=accuracy,
        accuracy_change=None if accuracy is None or base is None else accuracy - base,
        bytes_per_text=ROW_BYTES + vector_bytes(dtype, width) * float(block.lengths.mean()),
    )


def _accuracy(block: Block, values: np.ndarray, labels: Sequence[str] | None) -> float | None:
    """Return the cross-validated accuracy of a logistic head on each text's mean vector."""
    counts = Counter(labels or ())
    known = {label for label, count in counts.items() if label and count >= FOLDS}
    rows = [row for row, label in enumerate(labels or ()) if label in known]
    if len(known) < 2:
        return None
    starts = np.cumsum(block.lengths) - block.lengths
    means = np.add.reduceat(values, starts, axis=0) / block.lengths[:, None]
    head = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    assert labels is not None  # there are two known ones
    scores = cross_val_score(head, means[rows], [labels[row] for row in rows], cv=folds)
    return float(scores.mean())
