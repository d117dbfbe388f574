"""Trackio: the only module that imports ``trackio``, from the extra ``manyheads[trackio]``."""

from __future__ import annotations

from pipeline.tracking.run_record import RunRecord


def export(record: RunRecord, project: str) -> str:
    """Log a run to this machine, or to the space of TRACKIO_SPACE_ID.

    Args:
        record: of the run; its files are not uploaded.
        project: the project to put it in.

    Returns:
        How to see it.
    """
    import trackio

    trackio.init(project=project, name=record.name, config=record.parameters)
    try:
        for step, values in record.history:
            trackio.log(values, step=step)
        trackio.log(record.metrics)
    finally:
        trackio.finish()
    return f'trackio show --project "{project}"'
