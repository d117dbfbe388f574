"""Long texts are cut off, and what tells their label is behind the cut."""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.signs import last_holds_less
from pipeline.doctor.changes.words import whole_texts
from pipeline.doctor.counterfactual import Rescoring
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Measurements
from pipeline.evaluation.baselines import TFIDF

SHARE = 0.2
"""Of the texts that are truncated, or of the tokens that are cut off. Ours."""

MOST, MANY = 0.9, 0.4
"""Share of truncated texts from which there are too few whole ones to compare with; and from
which it is tried where word counts, which read whole texts, are at least level. Ours."""

LEVEL = 0.02
"""Points that word counts may be behind and still be level. Ours."""

MOST_TOKENS = 4096


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where many texts are cut and those are wrong more often at 1 %."""
    audit, learning = measured.audit, measured.learning
    assert audit is not None
    assert learning is not None
    if max(audit.truncated_share, audit.tokens_cut_share) < SHARE:
        return None
    if last_holds_less(measured):
        return None  # it makes less of what it sees than the mean does: mended first
    whole, cut = audit.whole_accuracy, audit.truncated_accuracy
    worse = whole is not None and cut is not None and cut < whole and audit.truncation_matters
    if not worse and audit.truncated_share < MOST and not _words_keep_up(measured):
        return None
    evidence = [
        Evidence(
            "texts that are cut off", f"{audit.truncated_share:.0%}", "below 5 % is usual"
        ),
        Evidence("of all tokens", f"{audit.tokens_cut_share:.0%}", "are not seen"),
    ]
    if whole is not None and cut is not None:
        evidence.append(Evidence("right when cut off", f"{cut:.1%}", f"whole: {whole:.1%}"))
    tokens = str(min(MOST_TOKENS, audit.tokens_wanted)) if audit.tokens_wanted else "512"
    return Suspicion(
        strength=0.5 + 0.2 * worse,
        headline=f"{audit.truncated_share:.0%} of the texts are cut off.",
        explanation="what tells the label is cut off",
        evidence=tuple(evidence),
        remedy=Remedy("let the encoder see more tokens", options=(("max_tokens", tokens),)),
        counterfactuals=(
            Rescoring("word counts of the whole texts, not of what is seen", whole_texts),
        ),
    )


def _words_keep_up(measured: Measurements) -> bool:
    """Return whether many texts are cut, and word counts of the whole ones do no worse."""
    words = None if measured.references is None else measured.references.named(TFIDF)
    if words is None or measured.audit is None:
        return False
    return measured.audit.truncated_share >= MANY and words.ahead > -LEVEL


CUT_OFF = Cause("cut_off", "texts cut off", "learning", examine, needs=("learning", "audit"))
