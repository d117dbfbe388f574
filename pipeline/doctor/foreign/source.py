"""``FILE.py:build``: code of the user's own, run only because they name it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.errors import ModuleError, SettingError

SUFFIX = ".py"
NAME = "_manyheads_examined"
"""Under which the file is imported."""


@dataclass(frozen=True)
class CodeSource:
    """A function in a Python file.

    Attributes:
        file: of the code.
        function: name of a function (width, classes) -> module.
    """

    file: Path
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.function}"


def parse_code(text: str) -> CodeSource:
    """Return ``FILE.py:build`` as a source; without a function it is ``build``.

    Raises:
        SettingError: it is not of that form.
    """
    return _parsed(text, "--module", "build")


def parse_loop_code(text: str) -> CodeSource:
    """Return ``FILE.py:fit`` as a source; without a function it is ``fit``. Raises as above."""
    return _parsed(text, "--loop", "fit")


def _parsed(text: str, flag: str, usual: str) -> CodeSource:
    name, colon, function = text.rpartition(":")
    if not colon or name.endswith(("/", "\\")) or function.endswith(SUFFIX):
        name, function = text, usual
    if not name.endswith(SUFFIX) or not function.isidentifier():
        raise SettingError(
            f"{flag} takes a Python file and a function in it, such as model.py:{usual}; got "
            f"{text!r}"
        )
    return CodeSource(Path(name), function)


def check_code(source: CodeSource) -> None:
    """Refuse a file that is not there. Raises ``SettingError``."""
    if not source.file.is_file():
        raise SettingError(f"{source}: there is no file {source.file}")


def load_function(source: CodeSource) -> Callable[..., Any]:
    """Run a file and return its function.

    The folder of the file can be imported from while it runs, as with ``python FILE``.

    Raises:
        SettingError: there is no such file.
        ModuleError: it fails, or has no such function.
    """
    check_code(source)
    from heads.examination.module import failure  # imports torch

    spec = importlib.util.spec_from_file_location(NAME, source.file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with _importable(source.file.resolve().parent):
        sys.modules[NAME] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise ModuleError(f"{source.file} cannot be run: {failure(error)}") from error
    found = getattr(module, source.function, None)
    if not callable(found):
        names = [
            name
            for name, value in vars(module).items()
            if callable(value) and getattr(value, "__module__", "") == NAME
        ]
        own = f"; it has {', '.join(names)}" if names else ""
        raise ModuleError(f"{source.file} has no function {source.function!r}{own}")
    function: Callable[..., Any] = found
    return function


def make_builder(source: CodeSource, width: int, classes: int) -> Callable[[], Any]:
    """Return a function that makes the module anew for vectors of a width and C classes.

    Raises:
        ModuleError: the file fails; when called, also what its function raises, and anything
            but a module in its answer.
    """
    from torch.nn import Module

    from heads.examination.module import failure

    function = load_function(source)

    def build() -> Module:
        try:
            made = function(width, classes)
        except Exception as error:
            raise ModuleError(
                f"{source}({width}, {classes}) fails: {failure(error)}; the function takes the "
                "width of the vectors and the number of classes"
            ) from error
        if not isinstance(made, Module):
            raise ModuleError(
                f"{source} must return a torch.nn.Module; it returned a {type(made).__name__}"
            )
        return made

    return build


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
