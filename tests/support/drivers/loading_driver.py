"""Loads models in a process of its own, and reports every file of theirs that was opened."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from features.encoders.description import files
from features.encoders.description.model import find_model
from features.encoders.transformer import TransformerEncoder
from tests.support.zoo import ZOO


def main(root: Path) -> None:
    """Print an object: by model, the files ``opened`` while it loads, and those ``hashed``."""
    opened: set[str] = set()
    hashed: set[str] = set()

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str | bytes | Path):
            opened.add(str(Path(str(arguments[0])).absolute()))

    sha256 = files.sha256

    def noted(path: Path) -> str:
        hashed.add(str(path.absolute()))
        return sha256(path)

    files.sha256 = noted
    sys.addaudithook(watch)
    report = {}
    for name, kept in ZOO.items():
        folder = (root / name).resolve()
        hashed.clear()
        model = find_model(str(folder), trust_remote_code=kept.trust)
        opened.clear()
        encoder = TransformerEncoder(model, "cpu", backend="torch")
        encoder.encode(["rain"], [model.spec("pooled")], lambda texts, tokens: None)
        report[name] = {
            "opened": _below(folder, opened),
            "hashed": _below(folder, hashed),
        }
    print(json.dumps(report))


def _below(folder: Path, files: set[str]) -> list[str]:
    return sorted(
        Path(file).relative_to(folder).as_posix()
        for file in files
        if file.startswith(f"{folder}/") and Path(file).is_file()
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
