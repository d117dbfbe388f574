"""An estimator with one thing changed, to be fitted anew."""

from __future__ import annotations

import inspect
from typing import Any

from features.errors import ModuleError

WEIGHTS = "class_weight"
"""Name of the parameter that scikit-learn's classifiers weigh classes by, where they can."""

HARMLESS = ("max_iter", "n_jobs", "random_state", "verbose")
"""Parameters that are no reason to learn less than with the defaults."""


def scaled(estimator: Any) -> Any:
    """Return the estimator behind features that are scaled to deviation 1."""
    from sklearn.base import clone
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), clone(estimator, safe=False))


def weighed(estimator: Any) -> Any:
    """Return the estimator with its classes weighed inversely to their frequency.

    Raises:
        ModuleError: it has no such parameter.
    """
    from sklearn.base import clone

    made = clone(estimator, safe=False)
    known = made.get_params() if hasattr(made, "get_params") else {}
    names = [name for name in known if name.endswith(WEIGHTS)]
    if not names:
        raise ModuleError(f"{type(estimator).__name__} has no parameter {WEIGHTS}")
    return made.set_params(**dict.fromkeys(names, "balanced"))


def classifier_of(estimator: Any) -> Any:
    """Return what classifies: the last step of scikit-learn's Pipeline, else the estimator."""
    from sklearn.pipeline import Pipeline

    return (
        classifier_of(estimator.steps[-1][1]) if isinstance(estimator, Pipeline) else estimator
    )


def with_defaults(estimator: Any) -> Any:
    """Return an estimator of the same kind with its default parameters, but its own weights of
    the classes: these trade accuracy for rare classes. A Pipeline keeps its other steps.
    """
    from sklearn.base import clone
    from sklearn.pipeline import Pipeline

    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        return clone(estimator, safe=False).set_params(**{name: with_defaults(last)})
    own = {WEIGHTS: getattr(estimator, WEIGHTS)} if hasattr(estimator, WEIGHTS) else {}
    return type(estimator)(**own)


def changed_parameters(estimator: Any) -> tuple[tuple[str, Any], ...]:
    """Return the parameters that differ from the defaults; () where there are no defaults.

    Those of a Pipeline are its classifier's, since the other steps prepare its features.
    """
    estimator = classifier_of(estimator)
    if not hasattr(estimator, "get_params"):
        return ()
    known = inspect.signature(type(estimator)).parameters.values()
    if any(each.default is inspect.Parameter.empty for each in known):
        return ()
    usual = {each.name: each.default for each in known}
    own = estimator.get_params(deep=False)
    return tuple(
        (name, value)
        for name, value in own.items()
        if name in usual and repr(value) != repr(usual[name]) and name not in HARMLESS
    )
