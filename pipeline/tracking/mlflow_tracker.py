"""MLflow: the only module that imports ``mlflow``, from the extra ``manyheads[mlflow]``."""

from __future__ import annotations

from pipeline.tracking.run_record import RunRecord


def export(record: RunRecord, project: str) -> str:
    """Log a run to the server of MLFLOW_TRACKING_URI, or where MLflow keeps runs without one.

    Args:
        record: of the run.
        project: the experiment to put it in.

    Returns:
        Where it is.
    """
    import mlflow

    mlflow.set_experiment(project)
    with mlflow.start_run(run_name=record.name) as run:
        mlflow.log_params(record.parameters)
        mlflow.log_metrics(record.metrics)
        for step, values in record.history:
            mlflow.log_metrics(values, step=step)
        for path in record.files:
            mlflow.log_artifact(str(path))
    return f"run {run.info.run_id} at {mlflow.get_tracking_uri()}"
