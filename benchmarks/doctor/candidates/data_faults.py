"""Faults of labels, sides and vectors, made of a healthy trial.

Each takes a healthy trial and gives the faulty one with its twin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks.doctor.case import Pair, Trial, deal, some
from benchmarks.doctor.material import Ingredients, Material, first_vectors
from features.vectors.table import POOLED, TOKENS, FeatureTable

Mechanism = Callable[[Trial, int, np.random.Generator, Ingredients], Pair]
"""(healthy trial, severity 0 to 2, random, ingredients) -> the faulty trial and its twin."""


def uneven(
    share: tuple[float, ...],
    trial: Trial,
    severity: int,
    rng: np.random.Generator,
    _: Ingredients,
) -> Pair:
    """Two classes, most texts of one; the twin has as many texts, half of each."""
    material = trial.material
    pair = np.argsort(-np.bincount(material.labels), kind="stable")[:2]
    rows = np.flatnonzero(np.isin(material.labels, pair))
    two = material.rows(rows)
    labels = (two.labels == pair[1]).astype(np.int64)
    names = tuple(material.classes[i] for i in pair)
    two = replace(two, labels=labels, classes=names)
    whole = deal(two, trial.head, trial.settings, rng)
    rare = 1 - share[severity]

    def thin(side: np.ndarray, part: float) -> np.ndarray:
        count = int(np.sum(labels[side] == 0))
        size = round(count * max(0.5, 1 / (2 * share[severity])))
        large = side[labels[side] == 0][: round(size * (1 - part))]
        small = side[labels[side] == 1][: max(2, round(size * part))]
        return np.sort(np.concatenate([large, small]))

    sides = [
        replace(
            whole,
            train=thin(whole.train, part),
            validation=thin(whole.validation, part),
            uneven=True,
        )
        for part in (rare, 0.5)
    ]
    return Pair(*sides, paired=False)


def few(trial: Trial, severity: int, rng: np.random.Generator, _: Ingredients) -> Pair:
    """Ten, five or three training texts per class."""
    each = (10, 5, 3)[severity]
    rows = [rng.permutation(part)[:each] for part in _by_class(trial, trial.train)]
    return Pair(replace(trial, train=np.sort(np.concatenate(rows))), trial)


def few_small(trial: Trial, severity: int, rng: np.random.Generator, _: Ingredients) -> Pair:
    """A tenth or less of the training texts, classes as they come."""
    most = round(len(trial.train) * (0.12, 0.08, 0.05)[severity])
    return Pair(replace(trial, train=some(trial.seen_labels, trial.train, most, rng)), trial)


def _by_class(trial: Trial, rows: np.ndarray) -> list[np.ndarray]:
    labels = trial.seen_labels[rows]
    return [rows[labels == label] for label in np.unique(labels)]


def noisy(
    validation: bool, trial: Trial, severity: int, rng: np.random.Generator, _: Ingredients
) -> Pair:
    """Labels of a share of the training texts are others at random; of validation too."""
    rows = trial.train
    if validation:
        rows = np.concatenate([rows, trial.validation])
    labels = trial.seen_labels.copy()
    flipped = rows[rng.random(len(rows)) < (0.12, 0.25, 0.4)[severity]]
    count = len(trial.material.classes)
    labels[flipped] = (labels[flipped] + rng.integers(1, count, len(flipped))) % count
    return Pair(replace(trial, labels=labels), trial)


def slipped(trial: Trial, severity: int, rng: np.random.Generator, _: Ingredients) -> Pair:
    """From one row of the file on, each text has the label of the next one."""
    start = round(len(trial.seen_labels) * (0.7, 0.4, 0.05)[severity])
    labels = trial.seen_labels.copy()
    labels[start:] = np.roll(labels[start:], -1)
    return Pair(replace(trial, labels=labels), trial)


def slipped_sorted(
    trial: Trial, severity: int, rng: np.random.Generator, ingredients: Ingredients
) -> Pair:
    """As ``slipped``, in a file that goes by label: it hurts little, so silence is right."""
    order = np.argsort(trial.material.labels, kind="stable")
    place = np.argsort(order)  # of each row in the sorted file
    sides = {
        "train": np.sort(place[trial.train]),
        "validation": np.sort(place[trial.validation]),
        "fresh": np.sort(place[trial.fresh]),
    }
    healthy = replace(trial, material=trial.material.rows(order), **sides)
    return slipped(healthy, severity, rng, ingredients)


def removed(trial: Trial, severity: int, rng: np.random.Generator, _: Ingredients) -> Pair:
    """Some texts are gone but their labels are not: the offset grows with every one."""
    count = len(trial.seen_labels)
    gone = rng.random(count) < (0.003, 0.01, 0.03)[severity]
    source = np.arange(count) - np.cumsum(gone)
    labels = trial.seen_labels[source]
    return Pair(replace(trial, labels=labels), trial)


def shuffled(trial: Trial, severity: int, rng: np.random.Generator, _: Ingredients) -> Pair:
    """The labels of a part of the file are shuffled among its rows."""
    part = np.arange(round(len(trial.seen_labels) * (0.4, 0.7, 1.0)[severity]))
    labels = trial.seen_labels.copy()
    labels[part] = labels[rng.permutation(part)]
    return Pair(replace(trial, labels=labels), trial)


def halved(
    spelling: bool, trial: Trial, severity: int, rng: np.random.Generator, _: Ingredients
) -> Pair:
    """One, two or three classes are two each, at random; or written in two spellings."""
    material = trial.material
    count = min((1, 2, 3)[severity], len(material.classes))
    labels, names = material.labels.copy(), list(material.classes)
    for label in range(count):
        rows = np.flatnonzero(material.labels == label)
        labels[rng.permutation(rows)[: len(rows) // 2]] = len(names)
        second = names[label].upper() if spelling else f"{names[label]} (other)"
        names.append(second)
    overlapping = replace(material, labels=labels, classes=tuple(names))
    return Pair(replace(trial, material=overlapping), trial)


def ratings(trial: Trial, severity: int, rng: np.random.Generator, _: Ingredients) -> Pair:
    """Labels drift to the next class of a pair, as between three and four stars."""
    labels = trial.material.labels.copy()
    pairs = min(len(trial.material.classes) // 2, 2)
    drawn = rng.random(len(labels)) < (0.25, 0.4, 0.5)[severity]
    moved = drawn & (labels < 2 * pairs)
    labels[moved] ^= 1
    material = replace(trial.material, labels=labels)
    return Pair(replace(trial, material=material), trial)


def in_order(
    noise: tuple[float, ...],
    trial: Trial,
    severity: int,
    rng: np.random.Generator,
    _: Ingredients,
) -> Pair:
    """The file goes by label, more or less, and the split by the file's order."""
    rows = np.concatenate([trial.train, trial.validation, trial.fresh])
    labels = trial.material.labels
    key = labels[rows] + noise[severity] * rng.normal(size=len(rows))
    ordered = rows[np.argsort(key, kind="stable")]
    material, labels = trial.material.rows(ordered), labels[ordered]
    cuts = np.array([0.65, 0.85]) * len(ordered)
    train, validation, fresh = np.split(np.arange(len(ordered)), cuts.astype(int))
    # Labels that training lacks come last, as the project numbers them.
    known = np.unique(labels[train])
    order = np.concatenate([known, np.setdiff1d(np.arange(len(material.classes)), known)])
    material = replace(
        material,
        labels=np.argsort(order)[labels],
        classes=tuple(material.classes[i] for i in order),
    )
    sides = {"train": train, "validation": validation, "fresh": fresh}
    faulty = replace(trial, material=material, split_given=True, **sides)
    return Pair(faulty, replace(trial, split_given=True), paired=False)


def copied(
    few_sources: bool,
    trial: Trial,
    severity: int,
    rng: np.random.Generator,
    ingredients: Ingredients,
) -> Pair:
    """Validation texts have an edited copy in training.

    With few sources one class of the file is copied several times before the split, else a
    share of the validation texts is copied once.
    """
    if few_sources:
        pool = np.concatenate([trial.train, trial.validation])
        rare = pool[trial.material.labels[pool] == 0]
        sources = np.repeat(rare, (2, 4, 8)[severity])
    else:
        count = round(len(trial.validation) * (0.1, 0.3, 0.6)[severity])
        sources = rng.permutation(trial.validation)[:count]
    material = _with_copies(trial.material, sources, rng, ingredients)
    extra = np.arange(len(trial.material), len(material))
    train, validation = np.concatenate([trial.train, extra]), trial.validation
    if few_sources:
        side = rng.random(len(extra)) < 0.7
        train = np.concatenate([trial.train, extra[side]])
        validation = np.concatenate([validation, extra[~side]])
    faulty = replace(
        trial, material=material, train=train, validation=validation, split_given=True
    )
    return Pair(faulty, trial, paired=False)


def _with_copies(
    material: Material, sources: np.ndarray, rng: np.random.Generator, ingredients: Ingredients
) -> Material:
    """Return the material with copies at its end: one word changed, or vectors with noise."""
    if material.texts is not None:
        texts = list(material.texts)
        words = [word for text in texts for word in text.split()]
        for row in sources.tolist():
            own = texts[row].split()
            own[int(rng.integers(len(own)))] = words[int(rng.integers(len(words)))]
            texts.append(" ".join(own))
        names = [material.classes[i] for i in material.labels]
        names += [names[row] for row in sources.tolist()]
        return ingredients.encoded(material.name, texts, names)
    twice = material.rows(np.concatenate([np.arange(len(material)), sources]))
    values = {}
    for layout, table in twice.tables.items():
        start = table.offsets[len(material)]
        changed = table.values.copy()
        noise = rng.normal(size=changed[start:].shape)
        changed[start:] += (0.02 * noise).astype(changed.dtype)
        values[layout] = changed
    return twice.with_values(values)


def given_away(
    token: str,
    at_end: bool,
    trial: Trial,
    severity: int,
    rng: np.random.Generator,
    ingredients: Ingredients,
) -> Pair:
    """Texts of half of the classes carry a token of their class, which fresh texts lack."""
    material = trial.material
    texts = list(material.texts or ())
    for row in np.concatenate([trial.train, trial.validation]).tolist():
        label = int(material.labels[row])
        if label % 2 == 0 and rng.random() < (0.4, 0.7, 0.95)[severity]:
            own = token.replace("#", str(17 + 31 * label)).replace("@", chr(97 + label))
            texts[row] = f"{texts[row]} {own}" if at_end else f"{own} {texts[row]}"
    names = [material.classes[i] for i in material.labels]
    planted = ingredients.encoded(material.name, texts, names)
    return Pair(replace(trial, material=planted), trial)


def shifted(trial: Trial, severity: int, rng: np.random.Generator, _: Ingredients) -> Pair:
    """The fresh texts are of another source: their vectors lie elsewhere."""
    values = {}
    for layout, table in trial.material.tables.items():
        changed = table.values.astype(np.float32)
        size = float(changed.std()) * (1.0, 2.0, 4.0)[severity]
        direction = rng.normal(size=table.width) * size
        rows = np.zeros(len(table), bool)
        rows[trial.fresh] = True
        changed[np.repeat(rows, table.lengths)] += direction.astype(np.float32)
        values[layout] = changed
    return Pair(replace(trial, material=trial.material.with_values(values)), trial)


def shortened(
    trial: Trial, severity: int, rng: np.random.Generator, ingredients: Ingredients
) -> Pair:
    """The fresh texts are only the first words of such texts, as titles are."""
    material = trial.material
    texts = list(material.texts or ())
    for row in trial.fresh.tolist():
        texts[row] = " ".join(texts[row].split()[: (8, 5, 3)[severity]])
    names = [material.classes[i] for i in material.labels]
    return Pair(
        replace(trial, material=ingredients.encoded(material.name, texts, names)), trial
    )


def cut(
    trial: Trial, severity: int, rng: np.random.Generator, ingredients: Ingredients
) -> Pair:
    """The encoder sees only the first tokens of each text, as a short limit does."""
    material = trial.material
    most = (10, 7, 5)[severity]
    table = material.tables[TOKENS]
    seen = first_vectors(table, most)
    tables = {TOKENS: seen, POOLED: mean_table(seen)}
    truncated = table.lengths > most
    return Pair(
        replace(trial, material=replace(material, tables=tables, truncated=truncated)), trial
    )


def mean_table(table: FeatureTable) -> FeatureTable:
    """Return a pooled table: the mean of the vectors of each text."""
    sums = np.add.reduceat(table.values.astype(np.float32), table.offsets[:-1], axis=0)
    means = (sums / table.lengths[:, None]).astype(np.float32)
    return FeatureTable(means, np.arange(len(table) + 1, dtype=np.int64), POOLED)


def drowned(trial: Trial, severity: int, rng: np.random.Generator, _: Ingredients) -> Pair:
    """The vectors are mostly noise, so that they lack what the words tell."""
    values = {}
    for layout, table in trial.material.tables.items():
        own = table.values.astype(np.float32)
        noise = rng.normal(size=own.shape) * own.std(axis=0) * (1.5, 3.0, 6.0)[severity]
        values[layout] = own + noise.astype(np.float32)
    return Pair(replace(trial, material=trial.material.with_values(values)), trial)


def narrowed(trial: Trial, severity: int, rng: np.random.Generator, _: Ingredients) -> Pair:
    """The vectors keep a few directions of all, at random."""
    values, width = {}, next(iter(trial.material.tables.values())).width
    basis, _ = np.linalg.qr(rng.normal(size=(width, (12, 6, 3)[severity])))
    for layout, table in trial.material.tables.items():
        own = table.values.astype(np.float32)
        values[layout] = (own @ basis @ basis.T).astype(np.float32)
    return Pair(replace(trial, material=trial.material.with_values(values)), trial)


def repeated(trial: Trial, severity: int, rng: np.random.Generator, _: Ingredients) -> Pair:
    """Five vectors stand for a share of the texts."""
    return _pooled(trial, lambda own: _stand_in(own, (0.3, 0.6, 1.0)[severity], 5, rng))


def of_others(trial: Trial, severity: int, rng: np.random.Generator, _: Ingredients) -> Pair:
    """A share of the texts has the vectors of another file's texts."""
    return _pooled(trial, lambda own: _stand_in(own, (0.4, 0.7, 1.0)[severity], len(own), rng))


def _stand_in(
    own: np.ndarray, share: float, kinds: int, rng: np.random.Generator
) -> np.ndarray:
    hit = rng.random(len(own)) < share
    some_rows = rng.permutation(len(own))[:kinds]
    own[hit] = own[some_rows[rng.integers(kinds, size=int(hit.sum()))]]
    return own


def unscaled(trial: Trial, severity: int, rng: np.random.Generator, _: Ingredients) -> Pair:
    """One feature is far larger than the others, and most others never change."""

    def change(own: np.ndarray) -> np.ndarray:
        own[:, 0] = rng.normal(size=len(own)) * own.std() * (30, 300, 10_000)[severity]
        own[:, 1 : round(own.shape[1] * 0.6)] = 0.5
        return own

    return _pooled(trial, change)


def common(trial: Trial, severity: int, rng: np.random.Generator, _: Ingredients) -> Pair:
    """One vector is added to all, and a few features shout: cosines are near 1."""

    def change(own: np.ndarray) -> np.ndarray:
        size = float(np.linalg.norm(own, axis=1).mean()) * (4, 8, 16)[severity]
        direction = rng.normal(size=own.shape[1])
        own += (size * direction / np.linalg.norm(direction)).astype(own.dtype)
        own[:, :3] += rng.normal(size=(len(own), 3)) * own.std() * (1, 2, 4)[severity]
        return own

    return _pooled(trial, change)


def _pooled(trial: Trial, change: Callable[[np.ndarray], np.ndarray]) -> Pair:
    """Return the trial with other pooled vectors, as arrays of a user's own; no texts."""
    table = trial.material.tables[POOLED]
    values = change(table.values.astype(np.float32))
    tables = {POOLED: FeatureTable(values, table.offsets, POOLED)}
    return Pair(replace(trial, material=replace(trial.material, tables=tables)), trial)
