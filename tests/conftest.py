"""Every test runs offline, and in a folder of its own."""

from __future__ import annotations

import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import pytest

from tests import fakes


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of tiny real transformers, by family."""
    root = tmp_path_factory.mktemp("models")
    makers = {"bert": fakes.save_bert, "roberta": fakes.save_roberta, "xlnet": fakes.save_xlnet}
    return {name: make(root / name) for name, make in makers.items()}
