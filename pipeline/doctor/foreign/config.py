"""What ``manyheads doctor --module`` is asked to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from features.errors import SettingError
from features.messages import listed, meant
from features.options import Options, option
from features.vectors.spec import LAYOUTS
from features.vectors.table import TOKENS
from pipeline.config import DataConfig, VectorConfig, parse_settings
from pipeline.doctor.foreign.source import CodeSource, parse_code, parse_loop_code

LOOP = {"epochs": int, "batch_size": int, "learning_rate": float}
"""What of the training of a module can be set, with its type."""

MOST = {"epochs": 10_000, "batch_size": 65_536, "learning_rate": 1e3}


def parse_loop(pairs: Sequence[str]) -> dict[str, float]:
    """Return ``["epochs=5"]`` as numbers.

    Raises:
        SettingError: an unknown name, or no number above 0.
    """
    found = {}
    for name, text in parse_settings(pairs).items():
        if name not in LOOP:
            raise SettingError(
                f"the training of a module has no setting {name!r}{meant(name, LOOP)}; choose "
                f"from: {listed(LOOP)}"
            )
        try:
            value = LOOP[name](text)
        except ValueError:
            value = 0
        if not 0 < value <= MOST[name]:
            kind = "a whole number" if LOOP[name] is int else "a number"
            raise SettingError(
                f"{name} takes {kind} above 0, at most {MOST[name]:g}; got {text!r}"
            )
        found[name] = value
    return found


_NONE: Mapping[str, float] = {}


@dataclass(frozen=True)
class ModuleOptions(Options):
    """Code of the user's own, in place of a run."""

    GROUP: ClassVar = "A module of your own"

    module: CodeSource | None = option(
        None,
        "examine the PyTorch module that this function (width, classes) makes, in place of a "
        "run; the file is run as it is",
        metavar="FILE.py:FUNCTION",
        parse=parse_code,
        otherwise="a run is examined",
    )
    loop: CodeSource | None = option(
        None,
        "train the module with this function (module, vectors, mask, labels) of yours too, and "
        "say whether module or loop is at fault",
        metavar="FILE.py:FUNCTION",
        parse=parse_loop_code,
        otherwise="a plain loop alone",
    )
    layout: str = option(
        TOKENS, "train the module on vectors in this layout", choices=LAYOUTS, metavar="LAYOUT"
    )
    settings: Mapping[str, float] = option(
        _NONE,
        f"train the module with other {listed(LOOP)} than 20, 64 and 0.001",
        name="set",
        metavar="NAME=VALUE",
        several=parse_loop,
    )
    seed: int = option(
        0,
        "draw every random choice of the module's training from this seed",
        metavar="N",
        parse=int,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.loop is not None and self.module is None:
            raise SettingError("--loop trains the module of --module: name that too")
        if not 0 <= self.seed < 2**31:
            raise SettingError(f"--seed must lie between 0 and {2**31 - 1}; got {self.seed}")


@dataclass(frozen=True)
class ModuleConfig:
    """A module of the user's own, and what it is trained on.

    Attributes:
        options: the module and its training.
        data: labelled texts and how they are split.
        vectors: the encoder and its cache.
    """

    options: ModuleOptions = field(default_factory=ModuleOptions)
    data: DataConfig = field(default_factory=DataConfig)
    vectors: VectorConfig = field(default_factory=VectorConfig)
