"""The languages that an encoder reads, by its model card or by its name."""

from __future__ import annotations

import json
import re
from pathlib import Path

from features.encoders.description.hub import EMBEDDED_NAMES
from features.encoders.description.model import EncoderModel

CARD = "README.md"
MAX_CARD_CHARACTERS = 20_000

FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---", re.DOTALL)
LANGUAGE = re.compile(
    r"^languages?:[ \t]*(\[[^\]]*\]|[^\n]+|(?:\n[ \t]*-[^\n]*)+)", re.MULTILINE
)
CODE = re.compile(r"[a-z]{2,3}(?![a-z])|multilingual")

EVERY = "multilingual"
"""In a model card: nobody counts the languages."""

NAMED = (
    (
        r"multilingual|labse|xlm|bge-m3|mdeberta|jina-embeddings-v3|qwen|arctic-embed-.*v2",
        EVERY,
    ),
    (r"chinese|[-_]zh\b|[-_]zh[-_]", "zh"),
    (r"german|deutsch|[-_]de\b", "de"),
    (r"camembert|french|[-_]fr\b", "fr"),
    (r"spanish|beto|[-_]es\b", "es"),
    (r"dutch|bertje|robbert|[-_]nl\b", "nl"),
    (r"japanese|ruri|[-_]ja\b", "ja"),
    (r"korean|klue|[-_]ko\b", "ko"),
    (r"russian|rubert|[-_]ru\b", "ru"),
    (r"all-minilm|all-mpnet|all-distilroberta|multi-qa|msmarco|gtr-t5|sentence-t5", "en"),
    (r"paraphrase-(minilm|mpnet|albert|distilroberta)|nli-|average_word_embeddings", "en"),
    (r"[-_]en\b|english|e5-(small|base|large)|gte-(small|base|large)|nomic-embed", "en"),
    (r"\b(distil)?(bert|roberta)-(base|large)(-(un)?cased)?(?!-[a-z])|modernbert", "en"),
)
"""Part of a name -> the language, or every one; the first that fits counts."""


def languages_of(model: EncoderModel) -> frozenset[str] | None:
    """Return the ISO 639-1 codes of the languages that an encoder reads.

    Returns:
        None if it reads every one, or neither its card nor its name says which.
    """
    if model.name in EMBEDDED_NAMES:
        return frozenset(("en",))
    found = _of_card(model.folder) or next(filter(None, map(_of_name, _names(model))), "")
    codes = set(CODE.findall(found))
    return None if not codes or EVERY in codes else frozenset(codes)


def _of_card(folder: Path) -> str:
    """Return what the head of a model card says of the language; "" if there is none."""
    try:
        with (folder / CARD).open(encoding="utf-8", errors="replace") as file:
            head = FRONT_MATTER.match(file.read(MAX_CARD_CHARACTERS))
    except OSError:
        return ""
    said = LANGUAGE.search(head[1] + "\n") if head else None
    return said[1].lower() if said else ""


def _names(model: EncoderModel) -> list[str]:
    """Return the names that an encoder goes by: as given, its folder, where it came from."""
    names = [model.name.partition("@")[0], model.folder.name]
    try:
        config = json.loads((model.transformer / "config.json").read_text(encoding="utf-8"))
        names.append(str(config.get("_name_or_path", "")))
    except (OSError, ValueError, AttributeError):
        pass
    return [name.rstrip("/").rpartition("/")[2].lower() for name in names]


def _of_name(name: str) -> str:
    return next((language for part, language in NAMED if re.search(part, name)), "")
