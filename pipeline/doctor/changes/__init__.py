"""What counterfactuals compare: a case with other labels, sides, words or vectors."""
