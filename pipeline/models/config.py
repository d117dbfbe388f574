"""What ``manyheads export-model`` and ``manyheads predict`` are asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from features.errors import SettingError
from features.options import Options, option, required_option
from features.storage.location import local_path
from pipeline.evaluation.abstention import check_precision
from pipeline.evaluation.prediction_sets import check_level

HUB = "hub:"
"""Begins the name of a model of the Hugging Face hub."""

EXPORTED = f", that of an exported model, or {HUB}OWNER/NAME@REVISION"
"""What a run may be besides, for the help of commands that predict."""

QUANTIZED = ("int8",)
"""Types that an exported encoder may be stored in, besides float32."""


@dataclass(frozen=True)
class ExportModelConfig(Options):
    """Where a model is written to.

    Attributes:
        out: the folder to make.
        with_encoder: whether to write the encoder too.
        quantize: ``int8`` or None, for the weights of that encoder.
        encoder: where it is now; None: where the run found it.
        push: the name on the hub; None: nothing is uploaded.
        public: whether a repository that is made can be seen by everybody.
    """

    out: Path = required_option(
        "write the model to this new folder", metavar="FOLDER", parse=local_path
    )
    with_encoder: bool = option(
        False,
        "write the encoder too, its tokenizer, and a program that labels texts with "
        "onnxruntime, tokenizers and numpy alone",
    )
    quantize: str | None = option(
        None,
        "store the weights of that encoder in 8 bits, and say what it costs",
        choices=QUANTIZED,
        metavar="TYPE",
    )
    encoder: str | None = option(
        None, "find the run's encoder here, if it was moved", metavar="NAME"
    )

    push: str | None = option(
        None,
        "upload the folder to the Hugging Face hub under this name; a repository that is made "
        "for it is private",
        metavar="OWNER/NAME",
    )
    public: bool = option(False, "make that repository for everybody to see")

    def __post_init__(self) -> None:
        super().__post_init__()
        for flag, given in (("--quantize", self.quantize), ("--encoder", self.encoder)):
            if given and not self.with_encoder:
                raise SettingError(f"{flag} {given} goes with --with-encoder; add that")
        if self.public and not self.push:
            raise SettingError("--public goes with --push OWNER/NAME; add that")


@dataclass(frozen=True)
class UncertaintyConfig(Options):
    """When a label is given.

    Attributes:
        abstain: wanted share of right labels; None: every text gets a label.
        sets: wanted share of sets that hold the true label; None: no sets.
    """

    GROUP: ClassVar = "Where the run is not sure"

    abstain: float | None = option(
        None,
        "give a label only where labels are right for this share of the texts, such as 0.95, "
        "as validation texts show; the others get none",
        metavar="SHARE",
        parse=float,
        check=check_precision,
    )
    sets: float | None = option(
        None,
        "give for each text the set of labels that holds the true one for this share of the "
        "texts, such as 0.9",
        metavar="SHARE",
        parse=float,
        check=check_level,
    )

    @property
    def asked(self) -> bool:
        """Return whether anything of a run's held-out texts is needed."""
        return self.abstain is not None or self.sets is not None
