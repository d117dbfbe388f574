"""LocalStorage: a folder on a disk of this machine, by ``files``."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from features.storage import files
from features.storage.files import TEMPORARY, Content, NameTest, Ranges

Parsed = TypeVar("Parsed")


@dataclass(frozen=True)
class LocalStorage:
    """A folder on a disk of this machine; the members are those of ``Storage``."""

    folder: Path

    empty_folders = True

    def names(self) -> list[str]:
        return os.listdir(self.folder)

    def read(self, name: str) -> bytes:
        return files.read_file(self.folder / name)

    def content(
        self, name: str, check: Callable[[Content], None], at_source: bool = False
    ) -> Content:
        data = files.map_file(self.folder / name)
        check(data)
        return data

    def parse(self, name: str, parser: Callable[[Ranges], Parsed]) -> Parsed:
        return parser(files.MappedRanges(files.map_file(self.folder / name)))

    def put(self, name: str, data: bytes | memoryview, copy: bool = False) -> None:
        files.put(self.folder, name, data)

    def touch(self, name: str) -> None:
        os.utime(self.folder / name)

    def move(self, name: str, target: str) -> None:
        source = self.folder / name
        files.make_folder((self.folder / target).parent)
        source.replace(self.folder / target)
        files.sync_folder(source.parent)

    def remove(self, names: Sequence[str]) -> None:
        for name in names:
            (self.folder / name).unlink(missing_ok=True)
        files.sync_folder(self.folder)

    def remove_folder(self) -> None:
        self.folder.rmdir()
        files.sync_folder(self.folder.parent)

    def evict(self, name: str) -> None:
        """Do nothing: the files themselves are local."""

    def prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        files.prove_writable(self.folder)

    def abandoned(self, ours: NameTest = TEMPORARY.fullmatch) -> list[str]:
        return [path.name for path in files.abandoned(self.folder, ours)]

    def sweep(self, ours: NameTest = TEMPORARY.fullmatch) -> int:
        return files.sweep(self.folder, ours)

    @contextmanager
    def lock(self, name: str) -> Iterator[bool]:
        with files.locked(self.folder, name) as alone:
            yield alone

    def size(self) -> int:
        total = 0
        for parent, _, names in os.walk(self.folder):
            for name in names:
                try:
                    total += (Path(parent) / name).stat().st_size
                except FileNotFoundError:  # renamed or removed meanwhile
                    continue
        return total

    def free_bytes(self) -> float:
        around = (self.folder, *self.folder.absolute().parents)
        return shutil.disk_usage(next(one for one in around if one.exists())).free

    def scratch_folder(self) -> Path:
        return self.folder

    def why_missing(self, name: str) -> str:
        path = self.folder / name
        if not path.is_symlink():
            return ""
        return (
            f"is a symbolic link to {os.readlink(path)}, which is not there; link it anew, or "
            "name the file itself"
        )
