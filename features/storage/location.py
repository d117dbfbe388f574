"""Locations: a file or folder on this machine (``Path``) or on object storage (``RemotePath``).

    parse_location("data.csv")                       Path
    parse_location("file:///data.csv")               Path
    parse_location("s3://bucket/folder/data.csv")    RemotePath; gs:// likewise

Only the name is parsed and checked; the file need not exist.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from features.errors import SettingError
from features.messages import listed
from features.storage.bucket import S3_SETTINGS
from features.storage.remote import RemotePath

SCHEMES = ("s3", "gs")
"""Schemes of object storage, where a file is named by bucket and key."""

Location = Path | RemotePath
"""A file or folder on this machine or on object storage."""


def user_folder() -> Path:
    """Return the user's own folder of manyheads, for what belongs to no cache of vectors.

    Everything in it may be deleted at any time.

    Raises:
        RuntimeError: this user has no home folder.
    """
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "manyheads"


def parse_location(text: str | Location) -> Location:
    """Parse the name of a file or folder; ``~`` is the home folder.

    Raises:
        SettingError: the name is empty or has a NUL byte, the scheme is unknown, the bucket is
            missing, or the name holds credentials or an unknown connection setting.
    """
    if not isinstance(text, str):
        return text if isinstance(text, RemotePath) else Path(text)
    if not text or "\0" in text:
        raise SettingError(f"{text!r} names no file or folder; give a path")
    if "://" not in text:
        try:
            return Path(text).expanduser()
        except RuntimeError:  # ~name without such a user: a literal file name
            return Path(text)
    parts = urlsplit(text, allow_fragments=False)
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost"):
            raise SettingError(
                f"{text}: file:// names a file of this machine, with three slashes: "
                f"file:///{parts.netloc}{parts.path}"
            )
        return Path(unquote(parts.path))
    if parts.scheme not in SCHEMES:
        raise SettingError(
            f"{_hidden(text)}: unknown scheme {parts.scheme!r}; give a path of this machine, "
            "s3://BUCKET/KEY or gs://BUCKET/KEY; download what lies elsewhere first"
        )
    if "@" in parts.netloc:
        raise SettingError(
            f"{_hidden(text)}: keys do not belong into a name, which is recorded with every "
            "run; put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    path = f"{parts.netloc}{parts.path}".strip("/")  # a key is taken literally: no %20
    if not parts.netloc or "//" in path:
        raise SettingError(
            f"{text}: no bucket, or an empty folder name; write {parts.scheme}://BUCKET/NAME"
        )
    if parts.scheme == "s3":
        unknown = sorted(set(dict(parse_qsl(parts.query))) - set(S3_SETTINGS))
        if unknown:
            raise SettingError(
                f"{text}: unknown setting {listed(unknown)}; behind ? may stand "
                f"{listed(S3_SETTINGS)}"
            )
    return RemotePath(parts.scheme, path, parts.query)


def local_path(text: str) -> Path:
    """Parse the name of a file or folder that must be local. Raises ``SettingError``."""
    found = on_disk(parse_location(text))
    if found is None:
        raise SettingError(
            f"{text}: is written on this machine only; give a path, then copy it"
        )
    return found


def on_disk(location: Location) -> Path | None:
    """Return a location as a path of this machine; None if it lies elsewhere."""
    return location if isinstance(location, Path) else None


def _hidden(text: str) -> str:
    """Return a name with user and password replaced by dots."""
    return re.sub(r"://[^/@]*@", "://...@", text)
