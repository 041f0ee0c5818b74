"""Who is here, what they chose, and what they keep."""
