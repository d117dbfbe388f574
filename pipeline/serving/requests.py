"""What clients send, checked: a body becomes texts, or a refusal with its status and reason."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from features.messages import clipped
from pipeline.console import one_line
from pipeline.prediction.explain import NEAREST, Explain
from pipeline.serving.config import ServeConfig

LONGEST_LABEL = 200
"""Characters of a label in a correction."""

LONGEST_REASON = 300
MOST_NEIGHBORS = 20


class RefusedError(Exception):
    """A request that is not answered as asked.

    Args:
        status: of HTTP.
        reason: one line for the client.
        wait: seconds after which it may be tried again; None: trying again does not help.
    """

    def __init__(self, status: int, reason: str, wait: int | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.wait = status, reason, wait

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers of the answer, besides those of its body."""
        found = {} if self.wait is None else {"retry-after": str(self.wait)}
        if self.status == 401:
            found["www-authenticate"] = "Bearer"
        if self.status in (408, 413):  # the rest of the body is not read
            found["connection"] = "close"
        return found


class PredictRequest(BaseModel):
    """One ``text``, or several ``texts``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str | None = Field(None, examples=["I missed my mother's birthday"])
    texts: list[str] | None = None

    def chosen(self) -> list[str]:
        """Return the texts. Raises ``RefusedError``."""
        if (self.text is None) == (self.texts is None):
            raise RefusedError(422, "give either text, one string, or texts, a list of them")
        return [self.text] if self.text is not None else list(self.texts or ())


class ExplainRequest(PredictRequest):
    """As ``PredictRequest``, with how many of the nearest training texts to give, and whether
    to weigh the words of the text."""

    neighbors: int = Field(NEAREST, ge=0, le=MOST_NEIGHBORS)
    words: bool = True

    @property
    def explain(self) -> Explain:
        """What is asked for."""
        return Explain(self.neighbors, self.words)


class Correction(BaseModel):
    """A text with its right label, and the label that the run gave."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str
    label: str = Field(max_length=LONGEST_LABEL)
    predicted: str | None = Field(None, max_length=LONGEST_LABEL)


Body = TypeVar("Body", bound=BaseModel)


def parse(kind: type[Body], body: bytes) -> Body:
    """Return a body as an object of its kind. Raises ``RefusedError``."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(clipped(str(each)) for each in first["loc"])
        reason = one_line(f"{place}: {first['msg']}" if place else first["msg"], LONGEST_REASON)
        status = 400 if first["type"] == "json_invalid" else 422
        raise RefusedError(status, reason.encode("utf-8", "replace").decode()) from None


def check_texts(texts: list[str], config: ServeConfig) -> None:
    """Refuse texts that are too many, too long or blank. Raises ``RefusedError``."""
    if not texts:
        raise RefusedError(422, "texts is empty; give one text or more")
    if len(texts) > config.max_texts:
        raise RefusedError(
            413, f"{len(texts):,} texts; one request takes {config.max_texts:,} (--max-texts)"
        )
    for number, text in enumerate(texts):
        if len(text) > config.max_chars:
            raise RefusedError(
                413,
                f"text {number} has {len(text):,} characters; a text may have "
                f"{config.max_chars:,} (--max-chars)",
            )
        if not text.strip():
            raise RefusedError(422, f"text {number} is empty; leave it out")
