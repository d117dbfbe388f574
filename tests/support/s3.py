"""An S3 server on loopback, in memory: what the AWS client inside pyarrow asks for, and faults.

Path-style requests; no signature is checked but that there is one. An object appears whole when
its request is complete, as S3 promises; the parts of a multipart upload are not seen before.
"""

from __future__ import annotations

import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

KEY_ID = "loopback"
"""The one access key that the server lets in."""

PAGE = 1000
"""Most keys a page of a listing, as S3's."""

Fault = Callable[[str, str], int]
"""Method and ``bucket/key?query`` -> 0 to go on, a status to answer, or -1 to hang up."""


class S3Server(ThreadingHTTPServer):
    """Buckets of objects, and what went on.

    Attributes:
        objects: ``bucket/key`` -> bytes; tests tamper with them here.
        changed: ``bucket/key`` -> seconds since the epoch.
        uploads: multipart uploads under way, by id: the parts by number.
        requests: every request, ``METHOD bucket/key?query``.
        fault: what goes wrong.
        on_data: told of the bytes of every answer to a GET.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.buckets = {"bucket"}
        self.objects: dict[str, bytes] = {}
        self.changed: dict[str, float] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.requests: list[str] = []
        self.fault: Fault = lambda method, target: 0
        self.on_data: Callable[[int], object] = lambda size: None
        self.lock = threading.RLock()
        self.began = 0

    @property
    def endpoint(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://127.0.0.1:{self.server_port}"

    def put(self, name: str, data: bytes) -> None:
        """Make an object appear, whole."""
        with self.lock:
            self.objects[name] = data
            self.changed[name] = time.time()

    def names(self, prefix: str = "") -> list[str]:
        """The objects below a prefix, in order, without the marks of empty folders."""
        with self.lock:
            found = [n for n in self.objects if n.startswith(prefix) and not n.endswith("/")]
            return sorted(found)

    def clear(self) -> None:
        """As new."""
        with self.lock:
            for kept in (self.objects, self.changed, self.uploads, self.requests):
                kept.clear()
            self.buckets = {"bucket"}
            self.fault = lambda method, target: 0
            self.on_data = lambda size: None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is none of the tests' concern."""


@contextmanager
def serving() -> Iterator[S3Server]:
    """A server in a thread of this process, on a free port."""
    server = S3Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: S3Server

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def handle_expect_100(self) -> bool:
        """As the base class, but sent at once: the client waits a second for it."""
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET

    def _answer(self) -> None:
        path, _, query = self.path.partition("?")
        name = urllib.parse.unquote(path).lstrip("/")
        asked = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        body = self._body()
        with self.server.lock:
            self.server.requests.append(
                f"{self.command} {name}" + (f"?{query}" if query else "")
            )
        status = self.server.fault(self.command, name + (f"?{query}" if query else ""))
        if status < 0:
            self.close_connection = True
            self.connection.close()
        elif status:
            self._refuse(status, "InternalError" if status >= 500 else "AccessDenied")
        elif f"Credential={KEY_ID}/" not in self.headers.get("Authorization", ""):
            self._refuse(403, "InvalidAccessKeyId")
        elif name.split("/")[0] not in self.server.buckets:
            self._refuse(404, "NoSuchBucket")
        else:
            with self.server.lock:
                self._act(name, asked, body)

    def _act(self, name: str, asked: dict[str, str], body: bytes) -> None:
        bucket, _, key = name.partition("/")
        if self.command == "POST" and "delete" in asked:
            self._delete_many(bucket, body)
        elif self.command == "POST" and "uploads" in asked:
            self.server.began += 1
            upload = f"upload-{self.server.began}"
            self.server.uploads[upload] = {}
            self._xml("InitiateMultipartUploadResult", f"<UploadId>{upload}</UploadId>")
        elif "uploadId" in asked and asked["uploadId"] not in self.server.uploads:
            self._refuse(404, "NoSuchUpload")
        elif self.command == "PUT" and "uploadId" in asked:
            self.server.uploads[asked["uploadId"]][int(asked["partNumber"])] = body
            self._reply(200, ETag=_etag(body))
        elif self.command == "POST" and "uploadId" in asked:
            parts = self.server.uploads.pop(asked["uploadId"])
            self.server.put(name, b"".join(parts[number] for number in sorted(parts)))
            self._xml("CompleteMultipartUploadResult", f"<Key>{escape(key)}</Key>")
        elif self.command == "DELETE" and "uploadId" in asked:
            del self.server.uploads[asked["uploadId"]]
            self._reply(204)
        elif self.command == "PUT":
            source = urllib.parse.unquote(self.headers.get("x-amz-copy-source", "")).lstrip("/")
            if source and source not in self.server.objects:
                self._refuse(404, "NoSuchKey")
                return
            self.server.put(name, self.server.objects[source] if source else body)
            if source:
                self._xml("CopyObjectResult", f"<ETag>{_etag(body)}</ETag>")
            else:
                self._reply(200, ETag=_etag(body))
        elif self.command == "DELETE":
            self.server.objects.pop(name, None)
            self._reply(204)
        elif not key:
            self._list(bucket, asked)
        elif name not in self.server.objects:
            self._refuse(404, "NoSuchKey")
        else:
            self._get(name)

    def _get(self, name: str) -> None:
        data = self.server.objects[name]
        headers = {
            "ETag": _etag(data),
            "Last-Modified": formatdate(self.server.changed[name], usegmt=True),
            "Accept-Ranges": "bytes",
        }
        wanted = self.headers.get("Range")
        if wanted is None:
            self._reply(200, data, **headers)
            return
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start, end = int(first), min(int(last or len(data) - 1), len(data) - 1)
        if start >= len(data):
            self._refuse(416, "InvalidRange")
            return
        headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
        self._reply(206, data[start : end + 1], **headers)

    def _list(self, bucket: str, asked: dict[str, str]) -> None:
        if self.command == "HEAD":
            self._reply(200)
            return
        prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter", "")
        after = asked.get("continuation-token", "")
        most = min(PAGE, int(asked.get("max-keys", PAGE)))
        found: dict[str, str] = {}
        for name in sorted(self.server.objects):
            key = name.partition("/")[2]
            if not (name.startswith(f"{bucket}/") and key.startswith(prefix)):
                continue
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            if cut >= 0:
                shown = key[: cut + len(delimiter)]
                found[shown] = (
                    f"<CommonPrefixes><Prefix>{escape(shown)}</Prefix></CommonPrefixes>"
                )
            else:
                changed = time.strftime("%FT%TZ", time.gmtime(self.server.changed[name]))
                found[key] = (
                    f"<Contents><Key>{escape(key)}</Key><LastModified>{changed}</LastModified>"
                    f"<Size>{len(self.server.objects[name])}</Size></Contents>"
                )
        rest = [key for key in sorted(found) if key > after]
        page, more = rest[:most], len(rest) > most
        token = (
            f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        )
        self._xml(
            "ListBucketResult",
            f"<KeyCount>{len(page)}</KeyCount><IsTruncated>{str(more).lower()}</IsTruncated>{token}"
            + "".join(found[key] for key in page),
        )

    def _delete_many(self, bucket: str, body: bytes) -> None:
        for element in ElementTree.fromstring(body).iter():
            if element.tag.rpartition("}")[2] == "Key":
                self.server.objects.pop(f"{bucket}/{element.text}", None)
        self._xml("DeleteResult", "")

    def _body(self) -> bytes:
        """The request's body; the client's checksum chunks are taken out of it."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            raw = b"".join(self._chunks())
        else:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "aws-chunked" not in self.headers.get("Content-Encoding", ""):
            return raw
        parts, position = [], 0
        while True:
            end = raw.index(b"\r\n", position)
            size = int(raw[position:end].split(b";")[0], 16)
            if not size:
                return b"".join(parts)
            parts.append(raw[end + 2 : end + 2 + size])
            position = end + 4 + size

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def _refuse(self, status: int, code: str) -> None:
        self._xml("Error", f"<Code>{code}</Code><Message>{code}</Message>", status)

    def _xml(self, tag: str, inside: str, status: int = 200) -> None:
        text = f'<?xml version="1.0" encoding="UTF-8"?><{tag}>{inside}</{tag}>'
        self._reply(status, text.encode(), **{"Content-Type": "application/xml"})

    def _reply(self, status: int, data: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for header, value in headers.items():
            self.send_header(header, value)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
        if self.command == "GET":
            self.server.on_data(len(data))
        self.wfile.flush()


def _etag(data: bytes) -> str:
    return f'"{hash(data):x}"'  # which bytes remember
