"""Versions of packages: those that are installed, read once."""

from __future__ import annotations

import importlib.metadata

import numpy as np
import pytest

from features.machine.packages import version


def test_a_version_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    version.cache_clear()
    assert version("numpy") == np.__version__
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0")
    assert version("numpy") == np.__version__


def test_a_package_that_is_not_installed() -> None:
    for _ in range(2):
        with pytest.raises(importlib.metadata.PackageNotFoundError):
            version("no-such-package")
