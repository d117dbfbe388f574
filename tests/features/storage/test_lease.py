"""A lease outlives a server that fails for a moment."""

from __future__ import annotations

import time

import pytest

from features.errors import RemoteError
from features.storage.lease import lease
from features.storage.location import parse_location
from features.storage.remote import RemotePath
from tests.support.s3 import S3Server

ROOT = parse_location("s3://bucket/deep/cache")


def test_a_renewal_that_fails_is_not_the_last(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written = RemotePath.write_bytes, []

    def failing(path: RemotePath, data: bytes) -> int:
        written.append(path)
        if len(written) == 2:
            raise RemoteError("the server failed")
        return write(path, data)

    def unable(path: RemotePath, missing_ok: bool = False) -> None:
        raise RemoteError("the server failed")

    monkeypatch.setattr(RemotePath, "write_bytes", failing)
    assert isinstance(ROOT, RemotePath)
    with lease(ROOT, ".maintenance", renew_seconds=0.01) as alone:
        deadline = time.monotonic() + 10
        while len(written) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        monkeypatch.setattr(RemotePath, "unlink", unable)
    assert alone
    assert len(written) >= 4
