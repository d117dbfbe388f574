"""What ``manyheads serve`` is asked to do."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from features.errors import SettingError
from features.options import Options, option
from features.storage.location import local_path

TOKEN = "MANYHEADS_TOKEN"
"""Environment variable with the bearer token."""

MAX_SECONDS = 3600.0
LAST_PORT = 65_535


def whole_number(flag: str, least: int = 1) -> object:
    """Return a check of a whole number for the option of a name."""

    def check(value: int) -> None:
        if value < least:
            raise SettingError(f"{flag} must be {least:,} or more; got {value}")

    return check


def check_port(value: int) -> None:
    """Refuse a port that is none. Raises ``SettingError``."""
    if not 0 <= value <= LAST_PORT:
        raise SettingError(
            f"--port must be between 0 (any free one) and {LAST_PORT}; got {value}"
        )


def check_delay(value: float) -> None:
    """Refuse a delay that is none. Raises ``SettingError``."""
    if not 0 <= value <= 1000 * MAX_SECONDS:
        raise SettingError(
            f"--delay takes milliseconds, from 0 to {1000 * MAX_SECONDS:,.0f}; got {value:g}"
        )


def check_timeout(value: float) -> None:
    """Refuse a time-out that is none. Raises ``SettingError``."""
    if not 0 < value <= MAX_SECONDS:
        raise SettingError(
            f"--timeout takes seconds above 0, at most {MAX_SECONDS:g}; got {value:g}"
        )


@dataclass(frozen=True)
class ServeConfig(Options):
    """Where the service listens, and what it takes.

    Attributes:
        encoders: where the encoders of the run are now.
        host, port: where it listens; port 0 is any free one.
        delay: milliseconds that a text waits at most for others to share its batch.
        batch_tokens: estimated tokens at which a batch waits no longer.
        queue: texts that may wait; more get 429.
        max_texts, max_chars, max_body: texts per request, characters per text, bytes per
            request; more get 413.
        max_connections: open at once; more get 503.
        timeout: seconds until a request gets 503, and to wait for its headers and its body.
        token_file: file with the bearer token; None: ``MANYHEADS_TOKEN``, or none at all.
        corrections: where the page's corrections are appended; None: nowhere.
        keep_vectors: whether vectors of served texts go to the cache.
        log_requests, log_texts: whether each request, or each text, gets a line on stderr.
    """

    GROUP: ClassVar = "The service"

    encoders: tuple[str, ...] = option(
        (),
        "find the run's encoder here, if it was moved; may be repeated for a blend",
        name="encoder",
        metavar="NAME",
        several=tuple,
    )
    host: str = option("127.0.0.1", "listen on this address; 0.0.0.0: on all", metavar="HOST")
    port: int = option(
        8000, "listen on this port; 0: any free one", metavar="N", parse=int, check=check_port
    )
    delay: float = option(
        5.0,
        "let a text wait so many milliseconds for others to be encoded with it",
        metavar="MS",
        parse=float,
        check=check_delay,
    )
    batch_tokens: int = option(
        8192,
        "begin a batch once texts of so many tokens wait",
        metavar="N",
        parse=int,
        check=whole_number("--batch-tokens"),
    )
    queue: int = option(
        2048,
        "let so many texts wait; a request beyond that gets 429",
        metavar="N",
        parse=int,
        check=whole_number("--queue"),
    )
    max_texts: int = option(
        256,
        "take so many texts per request; more get 413",
        metavar="N",
        parse=int,
        check=whole_number("--max-texts"),
    )
    max_chars: int = option(
        20_000,
        "take so many characters per text; more get 413",
        metavar="N",
        parse=int,
        check=whole_number("--max-chars"),
    )
    max_body: int = option(
        1_000_000,
        "take so many bytes per request; more get 413",
        metavar="N",
        parse=int,
        check=whole_number("--max-body", 100),
    )
    max_connections: int = option(
        1000,
        "keep so many connections open; more get 503",
        metavar="N",
        parse=int,
        check=whole_number("--max-connections"),
    )
    timeout: float = option(
        30.0,
        "answer 503 after so many seconds",
        metavar="SECONDS",
        parse=float,
        check=check_timeout,
    )
    token_file: Path | None = option(
        None,
        "ask for the bearer token in this file",
        metavar="FILE",
        parse=local_path,
        otherwise=f"that in {TOKEN}; without one, everybody is answered",
    )
    corrections: Path | None = option(
        Path("corrections.csv"),
        "append labels that the page's readers correct to this CSV; none: nowhere",
        metavar="FILE",
        parse=local_path,
        none=True,
    )
    keep_vectors: bool = option(
        False, "keep the vectors of served texts in the cache, and use those that it has"
    )
    log_requests: bool = option(False, "write a line per request on stderr, without texts")
    log_texts: bool = option(False, "write each text and its label on stderr")

    def token(self) -> str:
        """Return the bearer token; "" if none is asked for.

        Raises:
            SettingError: it cannot be read, or will not do.
        """
        if self.token_file is None:
            found, place = os.environ.get(TOKEN), TOKEN
            if found is None:
                return ""
        else:
            place = f"--token-file {self.token_file}"
            try:
                found = self.token_file.read_text(encoding="utf-8")
            except (OSError, ValueError) as error:
                raise SettingError(f"{place} cannot be read ({error}); name another") from error
        found = found.strip()
        if not found or not found.isascii() or not found.isprintable() or " " in found:
            raise SettingError(
                f"{place} holds no token: it must be letters, digits and signs of ASCII, "
                "without spaces"
            )
        return found
