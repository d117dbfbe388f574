"""Words as features: how often each word, word pair and letter group stands in a text."""
