"""Proof: which counterfactuals are tried, and what they say."""
