"""Questions to the agents themselves: one model behind one queue."""
