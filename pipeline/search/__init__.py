"""Search: many short trainings on the same vectors, and the truth about the best of them."""
