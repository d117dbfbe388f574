"""Speed against what a user would take otherwise; both sides in one run, as ratios."""
