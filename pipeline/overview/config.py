"""What ``manyheads runs`` is asked to show."""

from __future__ import annotations

from dataclasses import dataclass

from features.options import option


@dataclass(frozen=True)
class RunsConfig:
    """Which runs to list, and in what order.

    Attributes:
        data: the file that runs were trained on, or a part of its name; None: any.
        head: of the runs, or ``blend``; None: any.
        sort: the column to order by.
    """

    data: str | None = option(
        None, "show only runs on this data: its file, or a part of its name", metavar="NAME"
    )
    head: str | None = option(None, "show only runs of this head, or of blend", metavar="NAME")
    sort: str = option(
        "age",
        "order by age, name, data, head, encoder, validation or test",
        metavar="NAME",
    )
