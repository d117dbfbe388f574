"""A lease outlives a server that fails for a moment."""

from __future__ import annotations

import time

from features.storage.lease import lease
from features.storage.location import parse_location
from features.storage.remote import RemotePath
from tests.support.s3 import S3Server

ROOT = parse_location("s3://bucket/deep/cache")


def test_a_renewal_that_fails_is_not_the_last(s3: S3Server) -> None:
    puts = 0

    def second_put(method: str, target: str) -> int:
        nonlocal puts
        puts += method == "PUT"
        return 403 if method == "PUT" and puts == 2 else 0

    s3.fault = second_put
    assert isinstance(ROOT, RemotePath)
    with lease(ROOT, ".maintenance", renew_seconds=0.01) as alone:
        deadline = time.monotonic() + 10
        while puts < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        s3.fault = lambda method, target: 403 if method == "DELETE" else 0
    assert alone
    assert puts >= 4
    assert s3.names("bucket/deep/cache/"), "a mark that cannot be removed expires"
