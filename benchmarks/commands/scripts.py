"""Whole commands against the shortest honest scripts that a user would write instead.

* ``manyheads features`` into an empty cache against ``SentenceTransformer.encode`` with its
  defaults and ``np.save``;
* ``manyheads train --head logistic`` from cached vectors against ``np.load`` and scikit-learn's
  ``LogisticRegressionCV`` over the same values of C.

A script reads the texts, does its work and ends: imports and loading count on both sides. What
a first run learns about the encoder is kept in a folder of its own. That first run is not
counted; its time is printed beside the others.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Result
from benchmarks.trained import command
from features.corpus.columns import Columns
from features.corpus.corpus import read_corpus
from features.encoders.description.model import find_model
from heads.architectures.settings import LogisticSettings

ENCODING_GOAL = 3.0
TRAINING_GOAL = 5.0

ENCODE = """
import sys
import numpy as np
import pyarrow.csv as csv
from sentence_transformers import SentenceTransformer

encoder, data, out = sys.argv[1:]
rows = csv.read_csv(data, parse_options=csv.ParseOptions(newlines_in_values=True))
texts = rows["text"].to_pylist()
np.save(out, SentenceTransformer(encoder, device="cpu").encode(texts))
"""

TRAIN = """
import sys
import numpy as np
import pyarrow.csv as csv
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import train_test_split

data, vectors, values = sys.argv[1:]
rows = csv.read_csv(data, parse_options=csv.ParseOptions(newlines_in_values=True))
x, y = np.load(vectors), rows["label"].to_numpy(zero_copy_only=False)
x, unseen, y, answers = train_test_split(x, y, test_size=0.15, random_state=0, stratify=y)
head = LogisticRegressionCV(Cs=[float(c) for c in values.split(",")], max_iter=1000)
print(head.fit(x, y).score(unseen, answers))
"""


def run(data: Path, encoder: str | None, rounds: int, most: int) -> Iterator[Result]:
    """Both comparisons on the texts of a file.

    Args:
        data: labelled texts.
        encoder: name or folder of the encoder; None: the embedded one.
        rounds: measured in turn; the median counts.
        most: maximum texts, the first ones.
    """
    corpus = read_corpus(data, Columns(), labels=True, skip_empty=True)
    folder = str(find_model(encoder).folder) if encoder else str(find_model().folder)
    named = ["--encoder", encoder] if encoder else []
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        texts = root / "texts.csv"
        write_texts(texts, corpus.texts[:most], (corpus.labels or ())[:most])
        vectors = root / "vectors.npy"
        (root / "encode_script.py").write_text(ENCODE)
        (root / "train_script.py").write_text(TRAIN)
        encode = ["encode_script", folder, str(texts), str(vectors)]
        ours, theirs = [], []
        for turn in range(rounds + 1):
            cache = root / f"cache{turn}"
            arguments = ["--data", str(texts), "--layout", "pooled", "--cache", str(cache)]
            features = ["pipeline", "features", *named, *arguments]
            ours.append(command(features, XDG_CACHE_HOME=str(root / "learned"))[0])
            if turn:
                theirs.append(command(encode, PYTHONPATH=searched(root))[0])
        first, *ours = ours
        count = len(corpus.texts[:most])
        yield Result(
            f"encoding {count:,} texts of {data.name}, whole commands, against a script with "
            "sentence-transformers",
            statistics.median(ours),
            statistics.median(theirs),
            ENCODING_GOAL,
            {"texts a second": count / statistics.median(ours), "seconds at first": first},
        )
        yield training(root, named, root / "cache0", rounds)


def training(root: Path, named: list[str], cache: Path, rounds: int) -> Result:
    """``logistic`` from cached vectors against LogisticRegressionCV, whole commands."""
    texts = root / "texts.csv"
    values = ",".join(map(str, LogisticSettings().c))
    script = ["train_script", str(texts), str(root / "vectors.npy"), values]
    ours, theirs = [], []
    for turn in range(rounds + 1):  # the first finds near-duplicates and baseline, once
        arguments = ["--data", str(texts), "--cache", str(cache), "--runs", str(root / "runs")]
        layout = ["--layout", "pooled"]
        train = [
            "pipeline",
            "train",
            "--head",
            "logistic",
            *layout,
            *named,
            *arguments,
            "--json",
        ]
        seconds, printed = command(train)
        if turn:
            ours.append(seconds)
            seconds, told = command(script, PYTHONPATH=searched(root))
            theirs.append(seconds)
    return Result(
        "logistic from cached vectors, whole command, against a script with np.load and "
        "LogisticRegressionCV",
        statistics.median(ours),
        statistics.median(theirs),
        TRAINING_GOAL,
        {
            "test accuracy": json.loads(printed)["test"]["accuracy"],
            "theirs, another split": float(told.split()[-1]),
        },
    )


def write_texts(path: Path, texts: tuple[str, ...], labels: tuple[str, ...]) -> None:
    """Write a CSV file that both sides read."""
    import pyarrow as pa
    import pyarrow.csv

    pa.csv.write_csv(pa.table({"text": list(texts), "label": list(labels)}), path)


def searched(root: Path) -> str:
    """Return where modules are looked for: the scripts, then as before."""
    return f"{root}:{Path(__file__).parents[2]}"
