"""The file system of a bucket, by pyarrow, and its errors as one-line messages.

Every wait has a limit: ``CONNECT_SECONDS`` to connect and ``SILENT_SECONDS`` without data, each
tried ``ATTEMPTS`` times.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

from features.errors import RemoteError

S3_SETTINGS = ("region", "scheme", "endpoint_override")
"""Settings that an ``s3://`` location may have behind ``?``."""

ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")

CONNECT_SECONDS = 5.0
"""Maximum seconds to connect to a server."""

SILENT_SECONDS = 10.0
"""Maximum seconds without data from a server."""

ATTEMPTS = 3
"""Attempts per request."""

AWS_ERROR = re.compile(r"AWS Error (\w+)(?: \(HTTP status (\d+)\))?")
BUCKET = re.compile(r"bucket '([^']*)'")
REFUSED = (
    "ACCESS_DENIED",
    "INVALID_ACCESS_KEY_ID",
    "SIGNATURE_DOES_NOT_MATCH",
    "INVALID_CLIENT_TOKEN_ID",
    "UNRECOGNIZED_CLIENT",
    "MISSING_AUTHENTICATION_TOKEN",
)


@lru_cache(maxsize=16)
def filesystem(scheme: str, bucket: str, query: str) -> Any:
    """Return the file system of a bucket; it connects on the first request."""
    import pyarrow.fs as fs

    asked = dict(parse_qsl(query))
    if scheme != "s3":
        # By default its client retries for a quarter of an hour.
        asked.setdefault("retry_limit_seconds", f"{SILENT_SECONDS:.0f}")
        return fs.FileSystem.from_uri(f"{scheme}://{bucket}?{urlencode(asked)}")[0]
    # pyarrow.fs.S3FileSystem itself reads neither variable.
    endpoint = asked.get("endpoint_override") or _first_set(ENDPOINTS)
    region = asked.get("region") or _first_set(REGIONS)
    if region is None and endpoint is None:
        region = fs.resolve_s3_region(bucket)
    return fs.S3FileSystem(
        endpoint_override=endpoint,
        scheme=asked.get("scheme"),
        region=region or "us-east-1",
        connect_timeout=CONNECT_SECONDS,
        request_timeout=SILENT_SECONDS,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        # A small object is one request, not three.
        allow_delayed_open=True,
    )


def readable_error(error: Exception, name: str) -> RemoteError:
    """Return a one-line error with a remedy for an error of pyarrow's file system."""
    found = AWS_ERROR.search(str(error))
    code, status = found.groups() if found else ("", None)
    if code == "NO_SUCH_BUCKET":
        bucket = BUCKET.search(str(error))
        named = f" {bucket[1]!r}" if bucket else ""
        reason = f"no such bucket{named}; make it, or correct the name"
    elif code in REFUSED or status in ("401", "403"):
        reason = (
            "access denied; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and "
            "AWS_SESSION_TOKEN) to keys that may do this"
        )
    elif status == "301":
        reason = "the bucket lies in another region; set AWS_REGION to its own"
    elif code == "NETWORK_CONNECTION":
        named = "endpoint_override" if "endpoint_override=" in name else ""
        where = named or _first_set(ENDPOINTS) or "the provider's own"
        detail = str(error).rpartition("Details: ")[2].strip()
        reason = f"the server cannot be reached ({where}: {detail}); see AWS_ENDPOINT_URL"
    elif code:
        detail = " ".join(filter(None, (code, status)))
        reason = f"the server failed ({detail}) {ATTEMPTS} times; run again later"
    else:
        reason = " ".join(str(error).split())
    return RemoteError(f"{name}: {reason}")


def _first_set(names: tuple[str, ...]) -> str | None:
    return next((os.environ[name] for name in names if os.environ.get(name)), None)
