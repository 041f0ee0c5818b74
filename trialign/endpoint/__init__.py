"""A model behind an address that speaks the OpenAI protocol: requests, answers kept on disk, faults at the door."""
