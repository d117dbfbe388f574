"""``manyheads heads``: what there is to choose from."""

from __future__ import annotations

from typing import Any

from heads.presets import PRESETS
from heads.registry import HEADS, HeadType, as_text
from heads.settings import DenseSettings, HeadSettings, RecurrentSettings, TrainingSettings
from pipeline.console import table

WIDTHS = (2, 18, 13)
"""Cells of indent, name and default at least, so that they stand below each other."""

GROUPS: dict[str, type[HeadSettings]] = {
    "every head": HeadSettings,
    "training": TrainingSettings,
    "dense layers": DenseSettings,
    "LSTM layers": RecurrentSettings,
}
"""Settings that several heads share; for people they are shown once."""


def heads_dict() -> dict[str, Any]:
    """Every head with its layouts, summary and settings, and every preset, for ``--json``."""
    return {
        "heads": [
            {
                "name": head.name,
                "layouts": list(head.layouts),
                "summary": list(head.summary),
                "settings": {
                    name: {"default": _plain(field.default), "description": field.description}
                    for name, field in head.settings.model_fields.items()
                },
            }
            for head in HEADS.values()
        ],
        "presets": [
            {"name": preset.name, "head": preset.head, "what": preset.what}
            for preset in PRESETS.values()
        ],
    }


def heads_text() -> str:
    """The same for people: what several heads share stands once, at the end."""
    lines = []
    for head in HEADS.values():
        groups = {name: each for name, each in GROUPS.items() if _has(head, each)}
        lines += [f"{head.name}  (layouts: {', '.join(head.layouts)})"]
        lines += [f"  {line}" for line in head.summary]
        lines += _settings(head.settings, besides=tuple(groups.values()))
        lines += [f"    and settings of: {', '.join(groups)}", ""] if groups else [""]
    shown: tuple[type[HeadSettings], ...] = ()
    for name, group in GROUPS.items():
        lines += [f"settings of {name}", *_settings(group, besides=shown), ""]
        shown += (group,)
    lines.append("presets, for manyheads train --preset NAME")
    rows = [("", each.name, each.head, each.what) for each in PRESETS.values()]
    lines.append(table((), rows, align="<<<<"))
    return "\n".join(lines)


def _has(head: HeadType, group: type[HeadSettings]) -> bool:
    return issubclass(head.settings, group)


def _settings(
    settings: type[HeadSettings], besides: tuple[type[HeadSettings], ...] = ()
) -> list[str]:
    """Return a table of the settings, but for those that are the same in one of ``besides``."""
    rows = [
        ("", name, as_text(field.default) or "-", field.description or "")
        for name, field in settings.model_fields.items()
        if not any(
            name in group.model_fields and group.model_fields[name].default == field.default
            for group in besides
        )
    ]
    return [table((), rows, align="<<<<", min_widths=WIDTHS)] if rows else []


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
