"""A classifier that tells facts from tastes by the question alone, and what becomes of the facts."""
