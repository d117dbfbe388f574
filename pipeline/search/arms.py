"""The arms of a search: each head on each of the vectors that it is tried on."""

from __future__ import annotations

from features.encoders.description.model import EncoderModel
from features.errors import SettingError
from features.tables import join_layout, parse_layout
from features.vectors.spec import parse_layers
from features.vectors.table import TOKENS
from heads.registry import layout_of
from pipeline.search.config import SearchConfig
from pipeline.search.space import Arm, Space


def make_arms(
    config: SearchConfig, space: Space, models: dict[str, tuple[EncoderModel, ...]]
) -> tuple[Arm, ...]:
    """Return each head on each of the vectors that it takes, the quickest heads first.

    Raises:
        SettingError: a layer that an encoder lacks, or a head that takes none of the layouts.
    """
    arms = []
    for name in space.heads:
        for encoder, several in models.items():
            for layout in _layouts(config, name):
                reads = parse_layout(layout)[0]
                for layers in config.layer_choices if reads == TOKENS else ():
                    for model in several:
                        parse_layers(layers, model.depth)
                    arms.append(Arm(name, layout, encoder, layers))
                if reads != TOKENS or not config.layer_choices:
                    arms.append(Arm(name, layout, encoder, config.vectors.layers))
    if not arms:
        raise SettingError(
            f"no head takes the layout {', '.join(config.layouts)}; leave --layout out"
        )
    return tuple(arms)


def _layouts(config: SearchConfig, head: str) -> tuple[str, ...]:
    """Return the layouts that a head is tried on; of all heads, some may take none."""
    if not config.layouts:
        usual = layout_of(head, None)
        without = join_layout(parse_layout(usual)[0], words=False)
        return tuple(dict.fromkeys((without, usual)))
    found, refused = [], None
    for layout in config.layouts:
        try:
            found.append(layout_of(head, layout))
        except SettingError as error:
            refused = error
    if not found and refused is not None and head in config.heads:
        raise refused
    return tuple(found)
