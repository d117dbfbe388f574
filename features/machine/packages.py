"""The versions of installed packages."""

from __future__ import annotations

import importlib.metadata
from functools import cache


@cache
def version(name: str) -> str:
    """Return the version of a distribution, as it was when it was first asked for.

    It is asked for in every digest of results, and to read it takes milliseconds.

    Raises:
        importlib.metadata.PackageNotFoundError: it is not installed.
    """
    return importlib.metadata.version(name)
