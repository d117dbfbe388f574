"""Pages and cards from the template files in ``templates/``."""

from __future__ import annotations

import json
import re
import shlex
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

SPECIAL = re.compile(r"([\\`*_\[\]<>|~#&])")
"""Characters that would be markup; a backslash makes each a letter like any other."""


class Markdown(str):
    """A text that is Markdown already and is not escaped."""

    __slots__ = ()


def escape_markdown(text: str) -> Markdown:
    """Return any text as one line of Markdown that shows it as it is."""
    return Markdown(SPECIAL.sub(r"\\\1", " ".join(text.split())))


def render(template: str, **values: Any) -> str:
    """Return a template filled with values.

    Every value is escaped: in ``.html`` for HTML, in ``.md`` for Markdown, where a ``Markdown``
    is left as it is. A name that is not given is an error.

    Args:
        template: its file name.
        values: by the names that the template uses.
    """
    return _environment(template.endswith(".html")).get_template(template).render(values)


@cache
def _environment(html: bool) -> Environment:
    # Imported only where a page or card is written.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("pipeline"),
        autoescape=html,
        finalize=None if html else _finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "count": "{:,}".format,
        "percent": "{:.1%}".format,
        "points": lambda share: f"{100 * share:+.1f}",
        "interval": lambda ends: f"{ends[0]:.1%} to {ends[1]:.1%}",
        "json": lambda value: Markdown(json.dumps(value, ensure_ascii=False)),
        "shell": lambda value: Markdown(shlex.quote(value)),
    }
    return environment


def _finalize(value: Any) -> Markdown:
    return value if isinstance(value, Markdown) else escape_markdown(str(value))
