"""The doctor: why a head does not learn, and the proof.

    Case ──measuring──> Measurements ──causes (pure rules)──> Suspicions
         ──counterfactuals, judged in pairs──> Findings ──> Verdict

The contract, one file per noun:

- ``measurements/``: what is known of a training, in groups of plain numbers. A group that was
  not measured is None, and so is a number that could not be measured. JSON-able.
- ``case.py``: what a training was made of (tables, labels, sides, the head before its refit).
  Measuring and counterfactuals read it; rules never do.
- ``measuring/``: functions ``Case -> group | None``, one file per group or two; the list is
  ``MEASURERS`` in ``measuring/measurers.py``; what ``train`` measures too is
  in ``measuring/free.py``. A new measurement is a field of a group, or a group and a line
  there.
- ``cause.py``: ``Cause``, a name, the user's words for it, and a pure function
  ``Measurements -> Suspicion | None``. One file per cause in ``causes/``, and a line in
  ``causes/registry.py``.
- ``symptom.py``: the headline that most causes share.
- ``findings.py``: ``Suspicion`` is what a rule says; ``Finding`` what is told after proof;
  ``Verdict`` the whole answer, ``healthy`` and ``unknown`` included.
- ``counterfactual.py``: the run with one thing changed. ``ChangedSettings`` trains again with
  other settings or another head, ``ChangedData`` with other rows, labels or vectors,
  ``Rescoring`` trains nothing. Each gives a ``Trial``: numbers by text before and after.
- ``proving/judgement.py``: confirmed, refuted or open, from a trial. Nothing else
  calls a thing proven.

A rule returns None where its measurements are missing. It never looks at predictions for test
texts: no measurement holds any. It does not decide what is told: ``examination.py`` orders the
suspicions (a score that cannot be trusted before one that is low), ``proving/prover.py``
tries the counterfactuals within a budget, and what is neither measured nor proven is at most
*likely*.
"""
