"""Copies of every kind are found; likeness of topic or template is none."""

from __future__ import annotations

import numpy as np
import pytest

from features.duplicates.duplicates import find_duplicates
from tests.support.corpora import sentence, vectors

ORIGINAL = (
    "The ferry to the island was late because of fog, so we waited in a small cafe. "
    "My brother told a long story about his first job on a fishing boat."
)
FERRY, STORY = ORIGINAL.split(". ")

NEAR = {
    "one word": ORIGINAL.replace("brother", "uncle"),
    "three words": ORIGINAL.replace("fog", "ice")
    .replace("small", "tiny")
    .replace("boat", "dock"),
    "a word less": ORIGINAL.replace("long ", ""),
    "order": f"{STORY} {FERRY}.",
    "first half": FERRY,
    "second half": STORY,
}


def copies_of(texts: list[str]) -> tuple[np.ndarray, set[tuple[int, int]]]:
    found = find_duplicates(texts, vectors(texts))
    return found.clusters, set(zip(found.first.tolist(), found.second.tolist(), strict=True))


@pytest.mark.parametrize("edited", NEAR.values(), ids=NEAR)
def test_an_edited_copy_is_near(edited: str) -> None:
    texts = [ORIGINAL, *map(sentence, range(30)), edited]
    clusters, pairs = copies_of(texts)
    assert pairs == {(0, 31)}
    assert clusters[0] == clusters[31]
    assert len(set(clusters.tolist())) == 31


def test_case_punctuation_and_spacing_make_no_other_text() -> None:
    texts = [ORIGINAL, ORIGINAL.upper(), ORIGINAL.replace(",", " -- "), ORIGINAL, sentence(1)]
    found = find_duplicates(texts, vectors(texts))
    assert found.exact.tolist() == [0, 1, 2, 0, 3]
    assert found.normalized.tolist() == [0, 0, 0, 0, 1]
    assert len(found.first) == 0


def test_the_same_template_is_no_copy() -> None:
    names = ["Kelly", "Melissa", "Ortega", "Fitzgerald", "Zhang", "Mubarak", "Yannopoulos"]
    texts = [f"What does the name {name} mean ?" for name in names]
    _, pairs = copies_of([*texts, *map(sentence, range(10))])
    assert pairs == set()


def test_copies_of_copies_are_one_cluster() -> None:
    second = ORIGINAL.replace("fog", "ice").replace("small", "tiny")
    third = second.replace("brother", "uncle").replace("first", "last").replace("long", "odd")
    clusters, _ = copies_of([ORIGINAL, second, third.lower(), sentence(3)])
    assert clusters.tolist()[:3] == [clusters[0]] * 3
    assert clusters[3] != clusters[0]


def test_the_vectors_alone_make_no_copy() -> None:
    texts = [sentence(i) for i in range(6)]
    same = np.ones((6, 8), np.float16)
    found = find_duplicates(texts, same)
    assert len(found.first) == 0
    assert found.nearest.tolist() == pytest.approx([1.0] * 6)


def test_texts_in_scripts_without_spaces() -> None:
    text = "体验巅峰倚天屠龙记十大创新概览让玩家感受前所未有的乐趣"
    other = "六十年铁树开花形状似玉米芯引来众多市民围观拍照留念"
    _, pairs = copies_of([text, other, text.replace("玩家", "大家")])
    assert pairs == {(0, 2)}
