"""JSON files of run and model folders: written with a version, read into one type.

A file without a version is of version 1. Older versions are turned into the current form first.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from features.errors import CacheError, DamagedFileError
from features.messages import listed
from features.storage.files import read_file

T = TypeVar("T")

Values = dict[str, Any]
"""A JSON object as it stands in a file, before it is checked."""

VERSION = "version"
"""Key of the version number."""


def _unchanged(values: Values, version: int) -> Values:
    return values


@dataclass(frozen=True)
class JsonFormat(Generic[T]):
    """The format of one JSON file.

    Attributes:
        type: a dataclass, of which the file has every field, or a pydantic model.
        version: the number written.
        remedy: what to do about a file that cannot be used, such as ``train the run again``.
        upgrade: turns the values of an older version into those of this one.
    """

    type: type[T]
    version: int
    remedy: str
    upgrade: Callable[[Values, int], Values] = _unchanged

    @cached_property
    def _adapter(self) -> TypeAdapter[T]:
        """Made once: that takes longer than to read a file."""
        return TypeAdapter(self.type)

    def write(self, path: Path, values: Values) -> None:
        """Write plain values, with the version before them."""
        write_json(path, {VERSION: self.version, **values})

    def read(self, path: Path) -> T:
        """Return the value that a file holds.

        Raises:
            DamagedFileError: there is none, it is no JSON, or keys or values are wrong.
            CacheError: it is of a newer version.
        """
        values = read_object(path, self.remedy)
        version = values.pop(VERSION, 1)
        check_version(path, version, self.version, self.remedy)
        if version < self.version:
            values = self.upgrade(values, version)
        self._check_keys(path, values)
        try:
            value: T = self._adapter.validate_python(values)
        except ValidationError as error:
            raise DamagedFileError(path, reason(error), self.remedy) from error
        return value

    def _check_keys(self, path: Path, values: Values) -> None:
        """Refuse other keys than a dataclass has; pydantic models check their own."""
        if not is_dataclass(self.type):
            return
        known = {field.name for field in fields(self.type)}
        if unknown := sorted(values.keys() - known):
            raise DamagedFileError(
                path,
                f"unknown: {listed(unknown)}; a newer version may have written it",
                self.remedy,
            )
        if lacking := sorted(known - values.keys()):
            raise DamagedFileError(path, f"it lacks {listed(lacking)}", self.remedy)


def check_version(path: Path, version: object, newest: int, remedy: str) -> None:
    """Refuse a file of a version that is not known. Raises ``CacheError``."""
    if version not in range(1, newest + 1):
        raise CacheError(
            f"{path} is of format version {version}, this program reads "
            f"{listed(range(1, newest + 1))}: use the manyheads that wrote it, or {remedy}"
        )


def reason(error: ValidationError) -> str:
    """Return the first fault that pydantic found: where and what."""
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"])) or "all of it"
    return f"{where}: {first['msg']}"


def read_object(path: Path, remedy: str) -> Values:
    """Return the object of a JSON file. Raises ``DamagedFileError`` if it holds none."""
    try:
        values = json.loads(read_file(path).decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # the last: nested without end
        raise DamagedFileError(path, error, remedy) from error
    if not isinstance(values, dict):
        raise DamagedFileError(path, "it holds no JSON object", remedy)
    return values


def write_json(path: Path, value: object) -> None:
    """Write a value as indented JSON, non-ASCII letters as they are.

    A byte of a file's name that is no UTF-8 stands as the JSON escape of its surrogate.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_bytes(f"{text}\n".encode(errors="backslashreplace"))
