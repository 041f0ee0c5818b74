"""The objective: welfare, inconsistency and updates, as pure functions of tensors."""
