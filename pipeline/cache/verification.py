"""``manyheads verify``: compare every file of a cache with its checksums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from features.corpus.columns import Columns
from features.corpus.corpus import read_corpus
from features.corpus.recognition.dialect import RECOGNISED, Dialect
from features.encoders.description.hub import EMBEDDED
from features.encoders.description.model import EncoderModel, find_model, with_other_trust
from features.encoders.protocol import Encoder
from features.encoding.recheck import changed_models, compare_sample, filled_by
from features.errors import CacheError, CorruptShardError
from features.messages import many
from features.storage.location import Location
from features.store.manifest import existing_cache, space_folders
from features.store.shards.shard import SUFFIX
from features.store.store import FeatureStore
from features.store.verification import REMEDIES, Fault, repair, verify_cache
from pipeline.cache.config import SAMPLE, VerifyConfig
from pipeline.console import one_line, print_note
from pipeline.corpora import say_reading
from pipeline.encoding.vectors import load_encoder
from pipeline.progress import Progress


@dataclass(frozen=True)
class Verification:
    """What a verification found.

    Attributes:
        cache: the folder.
        shards: how many were read.
        compared: texts encoded again and compared.
        findings: everything that is wrong.
        moved: where files lie that ``--fix`` moved.
        fixed: whether ``--fix`` was asked for.
    """

    cache: Location
    shards: int
    compared: int
    findings: Sequence[Fault]
    moved: Sequence[Location]
    fixed: bool

    @property
    def exit_code(self) -> int:
        """Return 0 if nothing was found, else 1, even if it was fixed."""
        return 1 if self.findings else 0

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        return {
            "cache": str(self.cache),
            "shards": self.shards,
            "compared": self.compared,
            "findings": [
                {"kind": f.kind, "path": str(f.path), "detail": f.detail, "remedy": f.remedy}
                for f in self.findings
            ],
            "fixed": self.fixed,
            "moved": [str(path) for path in self.moved],
        }

    def to_text(self) -> str:
        """Return one line per finding and one remedy per kind, for people."""
        shards = many(self.shards, "shard")
        again = many(self.compared, "text")
        if not self.findings:
            alike = (
                f", and {again} encoded again gave the same vectors" if self.compared else ""
            )
            return f"{self.cache}: all is well: {shards} read, none damaged{alike}"
        compared = f", {again} encoded again" if self.compared else ""
        faults = many(len(self.findings), "fault")
        lines = [f"{self.cache}: {faults} found: {shards} read{compared}"]
        lines += [f"  {one_line(f'{f.kind}: {f.path}: {f.detail}')}" for f in self.findings]
        found = {finding.kind for finding in self.findings}
        lines += [f"{kind}: {remedy}" for kind, remedy in REMEDIES.items() if kind in found]
        if self.fixed:
            lines.append(
                f"fixed; {len(self.moved):,} files moved: look there, then delete them"
            )
            lines += [f"  {one_line(str(path))}" for path in self.moved]
        return "\n".join(lines)


def verify(
    cache: Location,
    config: VerifyConfig,
    *,
    text_column: str = Columns.text,
    dialect: Dialect = RECOGNISED,
    trust_remote_code: bool = False,
    load: Callable[[EncoderModel], Encoder] = load_encoder,
) -> Verification:
    """Verify a cache; compare with an encoder where data or an encoder are named.

    Args:
        cache: where it is.
        config: what to verify.
        text_column: of the texts.
        trust_remote_code: run the Python code that comes with the encoder.
        load: loads an encoder.

    Raises:
        InputError: a cache, data file or encoder that is missing or not valid.
    """
    existing_cache(cache)
    data, model = config.data, None
    if data or config.encoder:
        model = find_model(config.encoder or EMBEDDED, trust_remote_code)
    columns = Columns(text=text_column, label=None, split=None)
    texts: Sequence[str] = ()
    if data:
        texts = read_corpus(
            data, columns, labels=False, skip_empty=True, dialect=dialect, note=say_reading
        ).texts
    total = sum(len(list(folder.glob(f"*{SUFFIX}"))) for folder in space_folders(cache))
    with Progress("verifying", total, "shards") as progress:
        findings = verify_cache(cache, lambda: progress.advance(1))
    moved = repair(cache, findings) if config.fix and findings else []
    compared = 0
    if model:
        twin = with_other_trust(model)
        findings += changed_models(cache, model, twin)
        if twin and filled_by(cache, twin):
            done = "with" if twin.trust_remote_code else "without"
            remedy = "pass it" if twin.trust_remote_code else "leave it out"
            print_note(
                f"some spaces in {cache} were filled by {model.label!r} {done} "
                f"--trust-remote-code: {remedy} to compare them"
            )
    if model and texts:
        compared, differing = _compare(cache, model, texts, config.sample or SAMPLE, load)
        findings += differing
    return Verification(cache, total, compared, findings, moved, config.fix)


def _compare(
    cache: Location,
    model: EncoderModel,
    texts: Sequence[str],
    sample: int,
    load: Callable[[EncoderModel], Encoder],
) -> tuple[int, list[Fault]]:
    specs = filled_by(cache, model)
    if not specs:
        print_note(f"no space in {cache} was filled by {model.label!r}: nothing to compare")
        return 0, []
    encoder, compared, findings = load(model), 0, []
    for spec in specs:
        try:
            space = FeatureStore(cache).space(spec)
            count, found = compare_sample(space, texts, encoder, sample)
        except (CacheError, CorruptShardError):  # it is a finding already
            continue
        compared += count
        findings += found
    return compared, findings
