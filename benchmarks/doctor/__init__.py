"""The doctor against seeded faults and healthy runs, beside what others would have said."""
