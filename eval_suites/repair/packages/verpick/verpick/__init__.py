"""Semantic versions, ranges, and picking a set that fits."""
