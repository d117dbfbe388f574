"""``manyheads heads``: what there is to choose from, and the settings of one head."""

from __future__ import annotations

from typing import Any

from pydantic.fields import FieldInfo

from features.errors import SettingError
from features.messages import listed, meant
from heads.presets import PRESETS, Preset, find_preset
from heads.ranges import in_words, values_of
from heads.registry import HEADS, HeadType, as_text
from heads.settings import DenseSettings, HeadSettings, RecurrentSettings, TrainingSettings
from pipeline.console import table

ALL_PRESETS = "presets"
"""In place of a head's name: lists the presets."""

RANKING = "attention is mostly the most accurate, logistic the quickest"
"""As measured in docs/results.md; README and docs/heads.md say the same."""

WIDTHS = (2, 18, 13)
"""Cells of indent, name and default at least, so that they stand below each other."""

GROUPS: dict[str, type[HeadSettings]] = {
    "dense layers before the output": DenseSettings,
    "LSTM layers": RecurrentSettings,
    "training": TrainingSettings,
}
"""Settings that several heads share, by the title under which they stand."""


def heads_dict() -> dict[str, Any]:
    """Return every head and every preset, for ``--json``."""
    return {
        "heads": [_head_dict(head) for head in HEADS.values()],
        "presets": [_preset_dict(preset) for preset in PRESETS.values()],
    }


def heads_text() -> str:
    """Return one line per head for people, those that train the quickest first."""
    rows = [("", head.name, head.layouts[0], head.summary[0]) for head in HEADS.values()]
    lines = [
        table(("", "head", "layout", "what it is for"), rows, align="<<<<"),
        "",
        f"The quickest come first. On the data sets measured, {RANKING}.",
        "With the layout pooled a head reads one vector per text, with tokens one per token.",
        "manyheads heads cnn lists the settings of cnn, manyheads heads presets the presets.",
    ]
    return "\n".join(lines)


def one_dict(name: str) -> dict[str, Any]:
    """Return a head, a preset or all presets, for ``--json``. Raises as ``one_text``."""
    found = _find(name)
    if found is None:
        return {"presets": heads_dict()["presets"]}
    return _preset_dict(found) if isinstance(found, Preset) else _head_dict(found)


def one_text(name: str) -> str:
    """Return a head or a preset with its settings for people; ``presets`` lists all presets.

    Raises:
        SettingError: there is no head or preset of that name.
    """
    found = _find(name)
    if found is None:
        return _presets_text()
    return _preset_text(found) if isinstance(found, Preset) else _head_text(found)


def _find(name: str) -> HeadType | Preset | None:
    """Return the head or preset of a name; None for ``presets``. Raises ``SettingError``."""
    if name == ALL_PRESETS:
        return None
    if name in HEADS:
        return HEADS[name]
    if name.upper() in PRESETS:
        return find_preset(name)
    known = [*HEADS, *PRESETS, ALL_PRESETS]
    raise SettingError(
        f"no head or preset is called {name!r}{meant(name, known)}; choose one of: "
        f"{listed(known, len(known))}"
    )


def _head_dict(head: HeadType) -> dict[str, Any]:
    return {
        "name": head.name,
        "layouts": list(head.layouts),
        "summary": list(head.summary),
        "settings": {
            name: {"default": _plain(field.default), "description": field.description}
            for name, field in head.settings.model_fields.items()
        },
    }


def _preset_dict(preset: Preset) -> dict[str, Any]:
    return {"name": preset.name, "head": preset.head, "what": preset.what}


def _head_text(head: HeadType) -> str:
    """Return the settings of a head: its own first, then those that it shares."""
    lines = [
        f"example: manyheads train --data texts.csv --head {head.name}",
        "",
        *head.summary,
        f"layouts: {listed(head.layouts)}",
        "",
        "settings, for --set NAME=VALUE, with their defaults",
    ]
    shared = [group for group in GROUPS.values() if issubclass(head.settings, group)]
    general = HeadSettings.model_fields
    own = [
        name
        for name in head.settings.model_fields
        if name in general or not any(name in group.model_fields for group in shared)
    ]
    own.sort(key=lambda name: name not in head.settings.__annotations__)
    lines.append(_settings(head, own))
    for title, group in GROUPS.items():
        if group in shared:
            names = [name for name in group.model_fields if name not in general]
            lines += [title, _settings(head, names)]
    return "\n".join(lines)


def _settings(head: HeadType, names: list[str]) -> str:
    known = head.settings.model_fields
    rows = [
        ("", name, as_text(known[name].default) or "-", _description(known[name]))
        for name in names
    ]
    return table((), rows, align="<<<<", min_widths=WIDTHS)


def _description(field: FieldInfo) -> str:
    """Return what a setting is, and which values a search tries."""
    values = values_of(field)
    searched = f" (search: {in_words(values)})" if values else ""
    return f"{field.description or ''}{searched}"


def _preset_text(preset: Preset) -> str:
    """Return a preset: its head and what it changes."""
    rows = []
    for name, value in preset.settings.items():
        shown = "by the number of classes" if callable(value) else as_text(value) or "-"
        rows.append(("", name, shown))
    return "\n".join(
        [
            f"example: manyheads train --data texts.csv --preset {preset.name}",
            "",
            f"{preset.name}: {preset.what}",
            f"head: {preset.head}",
            "",
            "settings that differ from the head's",
            table((), rows, align="<<<", min_widths=WIDTHS[:2]),
        ]
    )


def _presets_text() -> str:
    rows = [("", each.name, each.head, each.what) for each in PRESETS.values()]
    return "\n".join(
        [
            "example: manyheads train --data texts.csv --preset A1",
            "",
            table(("", "preset", "head", "what it is"), rows, align="<<<<"),
            "",
            "What a system's publication leaves out is ours, as said in brackets.",
            "manyheads heads A1 lists the settings of A1.",
        ]
    )


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
