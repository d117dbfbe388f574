"""A small stand-in for the Hugging Face hub: repositories in memory, over local HTTP."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_test"


class FakeHub:
    """Repositories by name; each has commits, newest last, each of which has all its files.

    Attributes:
        url: what HF_ENDPOINT names.
        private: names of repositories that were made private.
        cards: cards that were sent to be validated.
    """

    def __init__(self) -> None:
        self.url = ""
        self.commits: dict[str, list[tuple[str, dict[str, bytes]]]] = {}
        self.private: set[str] = set()
        self.cards: list[str] = []

    def files(self, name: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        for commit, files in reversed(self.commits.get(name, [])):
            if revision in ("main", commit):
                return commit, files
        return None

    def commit(self, name: str, lines: list[dict[str, Any]]) -> str:
        files = dict(self.commits[name][-1][1])
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                assert value["encoding"] == "base64"
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "deletedFile":
                files.pop(value["path"], None)
            else:
                assert line["key"] == "header"
        commit = hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
        self.commits[name].append((commit, files))
        return commit


class Handler(BaseHTTPRequestHandler):
    """Answers as the hub's API does, of one fake hub."""

    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: Any) -> None:
        pass

    def answer(self, body: Any, status: int = 200, **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def lack(self, code: str) -> None:
        self.answer({"error": code}, 404, X_Error_Code=code)

    def allowed(self) -> bool:
        return self.headers.get("authorization") == f"Bearer {TOKEN}"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        if not self.allowed():
            self.answer({"error": "Invalid credentials"}, 401)
        elif parts[1:] == ["repos", "create"]:
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            if name in self.hub.commits:
                self.answer({"error": "it exists", "url": f"{self.hub.url}/{name}"}, 409)
                return
            self.hub.commits[name] = [("0" * 40, {})]
            if asked.get("visibility") == "private" or asked.get("private"):
                self.hub.private.add(name)
            self.answer({"url": f"{self.hub.url}/{name}", "id": name})
        elif parts[1] == "validate-yaml":
            self.hub.cards.append(json.loads(body)["content"])
            self.answer({"errors": [], "warnings": []})
        elif parts[4] == "preupload":
            names = [file["path"] for file in json.loads(body)["files"]]
            regular = {"uploadMode": "regular", "shouldIgnore": False}
            self.answer({"files": [{"path": name, **regular} for name in names]})
        elif parts[4] == "commit":
            name = "/".join(parts[2:4])
            commit = self.hub.commit(name, [json.loads(line) for line in body.splitlines()])
            url = f"{self.hub.url}/{name}/commit/{commit}"
            self.answer({"success": True, "commitOid": commit, "commitUrl": url})
        else:
            self.lack("EntryNotFound")

    def do_GET(self) -> None:
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        named = parts[2:4] if parts[0] == "api" else parts[:2]
        name = "/".join(named)
        if name not in self.hub.commits or (name in self.hub.private and not self.allowed()):
            self.lack("RepoNotFound")
            return
        revision = parts[5] if parts[0] == "api" and len(parts) > 5 else "main"
        found = self.hub.files(name, parts[3] if parts[0] != "api" else revision)
        if found is None:
            self.lack("RevisionNotFound")
            return
        commit, files = found
        if parts[0] == "api" and len(parts) > 4 and parts[4] == "tree":
            sizes = {file: len(data) for file, data in files.items()}
            own = [
                {"type": "file", "path": file, "size": size, "oid": "0" * 40}
                for file, size in sizes.items()
            ]
            self.answer(own)
        elif parts[0] == "api":
            siblings = [{"rfilename": file} for file in files]
            self.answer({"_id": "1", "id": name, "sha": commit, "siblings": siblings})
        elif (file := "/".join(parts[4:])) in files:
            data = files[file]
            tag = hashlib.sha1(data).hexdigest()
            self.answer(data, ETag=f'"{tag}"', X_Repo_Commit=commit)
        else:
            self.lack("EntryNotFound")

    do_HEAD = do_GET


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    return type("HubHandler", (Handler,), {"hub": hub})


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    """Serve a hub until the end of the block."""
    hub = FakeHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
