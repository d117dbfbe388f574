"""The maximum number of tokens of a model, at which sentence-transformers would cut a text.

stated by the settings      max_seq_length, or the processor's model_max_length
otherwise                   the tokenizer's limit, and the number of positions of the model
in every case               at most the number of usable positions, if the model has a table of
                            them; rotations and distances have no end
"""

from __future__ import annotations

from typing import Any

from features.errors import EncoderError

LONGEST_WITHOUT_LIMIT = 512
"""Tokens that a model sees if it states no limit, such as XLNet."""

ENDLESS = 10**9
"""A stated limit of at least this many tokens means that there is no limit."""

OFFSET_POSITIONS = frozenset(
    {
        "camembert",
        "data2vec-text",
        "esm",
        "ibert",
        "lilt",
        "longformer",
        "luke",
        "markuplm",
        "mluke",
        "mpnet",
        "roberta",
        "roberta-prelayernorm",
        "xlm-roberta",
        "xlm-roberta-xl",
        "xmod",
    }
)
"""Families whose positions start after the padding index; those up to it cannot be used."""

FIXED_PADDING = {"mpnet": 1}
"""Families that count positions from this padding index, whatever their config.json says."""

WITHOUT_TABLE = frozenset({"bloom", "falcon_mamba", "funnel", "mamba", "mamba2", "rwkv"})
"""Families that use distances or have no limit, whatever positions are stated."""

POSITIONS = ("max_position_embeddings", "n_positions", "max_seq_len", "context_length")
WITHOUT_POSITIONS = frozenset({"t5", "mt5", "umt5", "longt5"})
"""Families whose positions are relative; ``n_positions`` in their config.json says nothing."""


def token_limit(
    config: dict[str, Any], settings: dict[str, Any], tokenizer: dict[str, Any]
) -> int:
    """Return how many tokens of a text a model sees, special tokens included.

    Args:
        config: the transformer's config.json.
        settings: sentence-transformers' settings of the transformer; may be empty.
        tokenizer: tokenizer_config.json.

    Raises:
        EncoderError: a limit is not a number of tokens.
    """
    positions = 0
    if config.get("model_type") not in WITHOUT_POSITIONS:
        positions = next((_limit(config[key], key) for key in POSITIONS if config.get(key)), 0)
    processor = settings.get("processor_kwargs") or settings.get("tokenizer_args") or {}
    stated = processor.get("model_max_length") or settings.get("max_seq_length")
    limits = []
    if stated:
        limits.append(_limit(stated, "max_seq_length"))
    else:
        # "max_len" is the old name.
        tokenizer_limit = tokenizer.get("model_max_length") or tokenizer.get("max_len")
        limits += [_limit(tokenizer_limit, "model_max_length")] if tokenizer_limit else []
    if positions > 0 and not (stated and _endless(config)):
        limits.append(_usable(positions, config))
    processing = settings.get("processing_kwargs") or {}
    for part in ("text", "common"):
        max_length = (processing.get(part) or {}).get("max_length")
        if max_length:
            limits.append(_limit(max_length, f"processing_kwargs.{part}.max_length"))
    finite = [limit for limit in limits if 0 < limit < ENDLESS]
    return min(finite, default=LONGEST_WITHOUT_LIMIT)


def _endless(config: dict[str, Any]) -> bool:
    """Return whether positions are rotations or distances, which have no end."""
    return (
        config.get("position_embedding_type", "absolute") in ("rope", "rotary", "alibi")
        or config.get("alibi") is True
        or config.get("model_type") in WITHOUT_TABLE
        or (
            config.get("relative_attention") is True
            and not config.get("position_biased_input", True)
        )
        or any("rope_" in key or key.startswith("rotary_emb") for key in config)
    )


def _usable(positions: int, config: dict[str, Any]) -> int:
    """Return how many of a model's positions tokens can have."""
    family = str(config.get("model_type", ""))
    table = family != "esm" or config.get("position_embedding_type") == "absolute"
    if family not in OFFSET_POSITIONS or not table:
        return positions
    padding = FIXED_PADDING.get(family, config.get("pad_token_id", 1))
    return positions - 1 - (padding if isinstance(padding, int) else 1)


def _limit(value: object, name: str) -> int:
    # A tokenizer without a limit writes 1e30, a float.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise EncoderError(
            f"the encoder's {name} is {value!r}, which is no number of tokens; correct its "
            "configuration, or copy the model again"
        )
    return int(value) if value < ENDLESS else ENDLESS
