"""``manyheads heads``: what there is to choose from."""

from __future__ import annotations

from typing import Any

from heads.registry import HEADS


def heads_dict() -> dict[str, Any]:
    """Every head with its layouts, its summary and its settings, for ``--json``."""
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
        ]
    }


def heads_text() -> str:
    """The same for people."""
    lines = []
    for head in heads_dict()["heads"]:
        lines += [f"{head['name']}  (layouts: {', '.join(head['layouts'])})"]
        lines += [f"  {line}" for line in head["summary"]]
        for name, setting in head["settings"].items():
            default = setting["default"]
            shown = ",".join(map(str, default)) if isinstance(default, list) else str(default)
            lines.append(f"    {name:<18} {shown:<12} {setting['description']}")
        lines.append("")
    return "\n".join(lines).rstrip()


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
