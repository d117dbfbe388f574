"""Commands to copy: the run's training with one thing changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from features.options import from_values, to_values
from pipeline.command_line import audit_command, train_command
from pipeline.config import ExperimentConfig
from pipeline.doctor.findings import Remedy

AUDIT = "manyheads audit"


def changed_config(
    config: ExperimentConfig,
    settings: Sequence[tuple[str, object]] = (),
    head: str = "",
    layout: str = "",
    options: Sequence[tuple[str, Any]] = (),
) -> ExperimentConfig:
    """Return a configuration with a few things changed; one training, without repeats.

    Args:
        config: what was asked for.
        settings: of the head, by name.
        head: another head, with default settings but for ``settings``; '' keeps it.
        layout: of its vectors; '' keeps that of the run, of another head its own.
        options: other options of ``train``, by name.
    """
    if options:
        values = {**to_values(config), **dict(options)}
        kept = {"settings": config.settings}
        values = {name: value for name, value in values.items() if name != "set"}
        config = from_values(ExperimentConfig, values, **kept)
    new = dict(settings)
    if head and head != config.head:
        return replace(config, head=head, preset=None, layout=layout or None, settings=new)
    both = {**config.settings, **new}
    return replace(config, settings=both, layout=layout or config.layout)


def remedy_config(config: ExperimentConfig, remedy: Remedy) -> ExperimentConfig | None:
    """Return the configuration that a remedy asks for; None where it is no training."""
    if remedy.stops or not (remedy.settings or remedy.head or remedy.options):
        return None
    return changed_config(
        config, remedy.settings, remedy.head, remedy.layout, options=remedy.options
    )


def remedy_command(config: ExperimentConfig | None, remedy: Remedy) -> str:
    """Return the command of a remedy; '' where there is none, or no data that it could name."""
    if config is None:
        return ""
    if remedy.command:
        return with_data(config, remedy.command)
    changed = remedy_config(config, remedy)
    return "" if changed is None else train_command(changed)


def with_data(config: ExperimentConfig, command: str) -> str:
    """Return a command with ``{data}`` replaced by the options that name data and vectors."""
    if "{data}" not in command:
        return command
    known = audit_command(config.data, config.vectors).removeprefix(AUDIT).strip()
    return " ".join(command.replace("{data}", known).split())
