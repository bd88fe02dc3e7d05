"""Caches that forget, and limits on how often."""
