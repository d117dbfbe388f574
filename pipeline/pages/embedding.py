"""Data and script in a page: what is escaped, and what the browser may run.

The page's policy allows nothing but the script and the style with these hashes, so that text
that looked like markup could still do nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from importlib import resources
from typing import Any

SPECIAL = re.compile("[<>&\u2028\u2029\ud800-\udfff]")
"""Characters that could end a script, start a comment, or that UTF-8 cannot hold."""

STYLES = ("page.css",)
SCRIPTS = ("view.js", "matrix.js", "map.js", "page.js")


def as_script(value: Any) -> str:
    """Return plain values as JSON that may stand in a script element.

    >>> as_script(["</script>"])
    '["\\\\u003c/script\\\\u003e"]'
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return SPECIAL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


@cache
def asset(*names: str) -> str:
    """Return files of ``templates/report/``, one after the other."""
    folder = resources.files("pipeline") / "templates" / "report"
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)


def policy(style: str, script: str) -> str:
    """Return the content security policy of a page with one style and one script."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
