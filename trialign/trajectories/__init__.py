"""The offline data: its records, how it is collected and stored, and the batches made of it."""
