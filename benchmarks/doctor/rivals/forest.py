"""A random forest on the doctor's measurements, without counterfactuals (DeepFD's way)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

TREES, FOLDS, LEAST = 300, 5, 20
HEALTHY = "healthy"

Line = Mapping[str, Any]


def add_forest(records: Sequence[Line], taught: Sequence[Line], name: str) -> list[Line]:
    """Return the records with what the forest says of each run.

    Args:
        records: those to answer.
        taught: records of the tune half to learn from; none: it learns from the records
            themselves, and answers those of other cases only (5 folds of cases).
        name: under which it answers.
    """
    kinds = {line["case"]: line for line in [*records, *taught] if line["record"] == "truth"}
    runs = [line for line in records if _usable(line, kinds)]
    lessons = [line for line in taught if _usable(line, kinds)]
    if len(lessons or runs) < LEAST:
        return list(records)
    columns = sorted({key for line in [*runs, *lessons] for key in line["measured"]})
    answers: dict[int, list[str]] = {}
    if lessons:
        answers = _answers(lessons, runs, columns, kinds)
    else:
        cases = sorted({line["case"] for line in runs})
        fold = {case: i % FOLDS for i, case in enumerate(cases)}
        for number in range(FOLDS):
            held = [line for line in runs if fold[line["case"]] == number]
            rest = [line for line in runs if fold[line["case"]] != number]
            answers.update(_answers(rest, held, columns, kinds))
    return [_with(line, answers.get(id(line)), name) for line in records]


def _usable(line: Line, kinds: Mapping[str, Line]) -> bool:
    known = line["record"] == "run" and line["case"] in kinds and line.get("measured")
    return bool(known) and kinds[line["case"]]["kind"] in ("fault", "healthy")


def _answers(
    lessons: Sequence[Line],
    runs: Sequence[Line],
    columns: Sequence[str],
    kinds: Mapping[str, Line],
) -> dict[int, list[str]]:
    """Return for each run the classes of the forest, the likeliest first."""
    from sklearn.ensemble import RandomForestClassifier

    targets = [(kinds[line["case"]]["seeded"] or [HEALTHY])[0] for line in lessons]
    if len(set(targets)) < 2 or not runs:
        return {}
    model = RandomForestClassifier(TREES, random_state=0, class_weight="balanced")
    model.fit(_matrix(lessons, columns), targets)
    order = np.argsort(-model.predict_proba(_matrix(runs, columns)), axis=1)
    return {
        id(line): [str(model.classes_[i]) for i in row]
        for line, row in zip(runs, order.tolist(), strict=True)
    }


def _matrix(lines: Sequence[Line], columns: Sequence[str]) -> np.ndarray:
    rows = [[line["measured"].get(column, -99.0) for column in columns] for line in lines]
    return np.clip(np.nan_to_num(np.array(rows, np.float64), nan=-99.0), -1e6, 1e6)


def _with(line: Line, answer: list[str] | None, name: str) -> Line:
    if answer is None:
        return line
    causes = [] if answer[0] == HEALTHY else [[each] for each in answer if each != HEALTHY][:3]
    said = {**line["said"], name: {"alarm": bool(causes), "causes": causes, "seconds": 0.0}}
    return {**line, "said": said}
