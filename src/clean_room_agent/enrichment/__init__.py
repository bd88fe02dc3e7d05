"""From an indexed file to a model's description of it, in raw; into curated only by promotion."""
