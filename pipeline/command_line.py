"""Commands to copy: a configuration as the options that give it again, defaults left out."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path

from features.options import options_of, to_values
from features.storage.location import Location
from pipeline.config import DataConfig, ExperimentConfig, VectorConfig

FROM_MAKE = "MANYHEADS_MAKE"
"""Environment variable that the Makefile sets: commands are shown as make takes them."""

COMMON = ("head", "preset", "data", "encoder", "layout", "cache", "seed", "seeds")
VARIABLES = {
    "audit": ("data", "encoder", "cache"),
    "layers": ("data", "head", "encoder", "cache", "seed", "seeds"),
    "lr-range": ("head", "preset", "data", "encoder", "layout", "cache", "seed"),
    "predict": ("run", "runs", "cache", "encoder", "data", "text"),
    "train": (*COMMON, "folds", "runs"),
}
"""By target of the Makefile, the options that have a variable; the others go into ARGS."""

WHAT = ("head", "preset", "set")
"""Options that say what is trained; they stand in a command even where they are usual."""

UNSAFE = frozenset("$\"'`\\#\n")
"""Characters that a shell or make would read as more than themselves in a variable."""


def words_of(config: DataConfig | VectorConfig | ExperimentConfig) -> list[str]:
    """Return the options that give a configuration again, but for head, preset and settings."""
    values, usual = to_values(config), to_values(type(config)())
    words = []
    for option in options_of(type(config)):
        value = values[option.name]
        if value == usual[option.name] or option.name in WHAT:
            continue
        if value is True:
            words.append(option.flag)
        elif str(value).startswith("-"):  # else it would be taken for an option
            words.append(f"{option.flag}={value}")
        else:
            words += [option.flag, str(value)]
    return words


def train_command(config: ExperimentConfig) -> str:
    """Return the command that trains as configured."""
    return shlex.join(["manyheads", "train", *_head(config), *words_of(config), *_sets(config)])


def lr_range_command(config: ExperimentConfig) -> str:
    """Return the command that finds the learning rate for a training."""
    usual = ExperimentConfig()
    one = replace(config, seeds=1, folds=0, split_of=None, runs=usual.runs)
    return shlex.join(["manyheads", "lr-range", *_head(one), *words_of(one), *_sets(one)])


def audit_command(data: DataConfig, vectors: VectorConfig) -> str:
    """Return the command that audits the texts of a training; of encoders it takes one."""
    usual = DataConfig()
    vectors = replace(vectors, encoder=vectors.encoders[0])
    columns = replace(data.columns, group=None)
    unsplit = replace(data, columns=columns, split=usual.split, split_seed=usual.split_seed)
    return shlex.join(["manyheads", "audit", *words_of(unsplit), *words_of(vectors)])


def predict_command(run: Path, cache: Location) -> str:
    """Return the command that labels a text with a run, whatever is the latest by then."""
    words = ["manyheads", "predict", run.name, "--text", "a text of yours"]
    words += ["--runs", str(run.parent)] if run.parent != ExperimentConfig().runs else []
    words += ["--cache", str(cache)] if cache != VectorConfig().cache else []
    return shlex.join(words)


def as_typed(command: str) -> str:
    """Return a command in the form in which its reader types commands: of make, or as it is."""
    return make_form(command) if os.environ.get(FROM_MAKE) else command


def make_form(command: str) -> str:
    """Return a command as a target of the Makefile with variables; as it is where none will do.

    >>> make_form("manyheads train --head cnn --folds 5 --set units=64 dropout=0.2")
    "make train HEAD=cnn FOLDS=5 ARGS='--set units=64 dropout=0.2'"
    """
    _, target, *words = shlex.split(command)
    if target not in VARIABLES:
        return command
    flags = {f"--{name}": name.upper() for name in VARIABLES[target]}
    given, rest = [], []
    if "run" in VARIABLES[target] and words and not words[0].startswith("-"):
        given.append(("RUN", words.pop(0)))
    while words:
        word = words.pop(0)
        if word in flags and words:
            given.append((flags[word], words.pop(0)))
        else:
            rest.append(word)
    if any(UNSAFE & set(value) for value in (*rest, *(value for _, value in given))):
        return command
    shown = [f"{name}={shlex.quote(value)}" for name, value in given]
    shown += [f"ARGS={shlex.quote(shlex.join(rest).replace(chr(39), chr(34)))}"] if rest else []
    return " ".join(["make", target, *shown])


def _head(config: ExperimentConfig) -> list[str]:
    return ["--preset", config.preset] if config.preset else ["--head", config.head]


def _sets(config: ExperimentConfig) -> list[str]:
    pairs = [f"{name}={value}" for name, value in config.settings.items()]
    return ["--set", *pairs] if pairs else []
