"""Weights & Biases: the only module that imports ``wandb``, from ``manyheads[wandb]``."""

from __future__ import annotations

from pipeline.tracking.run_record import RunRecord


def export(record: RunRecord, project: str) -> str:
    """Log a run as the user is logged in, or into ./wandb with WANDB_MODE=offline.

    Args:
        record: of the run.
        project: the project to put it in.

    Returns:
        Where it is.
    """
    import wandb

    with wandb.init(project=project, name=record.name, config=record.parameters) as run:
        for step, values in record.history:
            run.log(values, step=step)
        run.summary.update(record.metrics)
        if record.files:
            artifact = wandb.Artifact(record.name, type="run")
            for path in record.files:
                artifact.add_file(str(path))
            run.log_artifact(artifact)
        return str(run.url or run.dir)
