"""The objective: welfare, inconsistency and answer distributions, as pure functions of tensors."""
