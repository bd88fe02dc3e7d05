"""Prompts as typed fragments: how content is framed, and how tokens are counted."""
