"""Pages and cards from the template files in ``templates/``."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **values: Any) -> str:
    """Return a template filled with values.

    In ``.html`` every value is escaped unless the template says otherwise; in ``.md`` none is.
    A name that is not given is an error.

    Args:
        template: its file name.
        values: by the names that the template uses.
    """
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    # Imported only where a page or card is written.
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=PackageLoader("pipeline"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
