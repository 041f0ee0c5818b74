"""What the answers say: figures, tests, verdicts."""
