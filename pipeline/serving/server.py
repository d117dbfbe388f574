"""The process that serves: a socket, uvicorn, and an end that answers what was accepted."""

from __future__ import annotations

import signal
import socket
from importlib.util import find_spec
from typing import Any

from features.errors import SettingError
from pipeline.console import print_note
from pipeline.serving.config import TOKEN
from pipeline.serving.service import Service

INSTALL = "pip install 'manyheads[serve]'"
PACKAGES = ("fastapi", "httptools", "uvicorn")

BACKLOG = 2048
SPARE_FILES = 100
KEEP_ALIVE_SECONDS = 15
LOCAL = ("127.", "::1", "localhost")


def check_installed() -> None:
    """Refuse to go on without the packages of the extra. Raises ``SettingError``."""
    lacking = [name for name in PACKAGES if find_spec(name) is None]
    if lacking:
        raise SettingError(
            f"manyheads serve needs {' and '.join(lacking)}, not installed here; install with: "
            f"{INSTALL}"
        )


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens. Raises ``SettingError``."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, kind, protocol)
        try:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(address)
            found.listen(BACKLOG)
        except OSError:
            found.close()
            raise
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingError(
            f"--host {host} --port {port} cannot be listened on ({reason}); choose others, or "
            "--port 0 for any free port"
        ) from error
    return found


def make_server(service: Service) -> Any:
    """Return the server of a service; it serves a socket with ``run``."""
    import uvicorn

    from pipeline.serving.app import make_app
    from pipeline.serving.connection import Server, connection_type

    config = service.config
    return Server(
        uvicorn.Config(
            make_app(service),
            http=connection_type(config.timeout, _connections(config.max_connections)),
            log_config=None,  # it would close the log handlers of other libraries
            log_level="error",  # its warnings are of clients that send nonsense
            access_log=False,
            server_header=False,
            ws="none",
            lifespan="on",
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=int(config.timeout) + 5,
        )
    )


def _connections(wanted: int) -> int:
    """Return how many connections this process may keep open, some of its files left over."""
    try:
        import resource  # not on Windows

        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    except (ImportError, OSError):
        return wanted
    return wanted if files < 0 else max(1, min(wanted, files - SPARE_FILES))


def serve(service: Service, listening: socket.socket) -> None:
    """Answer requests until SIGTERM or SIGINT; then answer what was accepted, and return."""
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    if not service.token and not host.startswith(LOCAL):
        print_note(
            f"warning: everybody who reaches {shown}:{port} is answered; set {TOKEN} or "
            "--token-file to ask for a token"
        )
    server = make_server(service)
    print_note(f"serving {service.model.name} at http://{shown}:{port} (Ctrl-C ends it)")
    # uvicorn raises the signal again once all is answered: then there is nothing left to end.
    before = {each: signal.signal(each, _nothing) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        server.run(sockets=[listening])
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _nothing(number: int, frame: object) -> None:
    """Do nothing about a signal."""
