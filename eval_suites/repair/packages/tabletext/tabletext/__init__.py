"""Plain-text tables for terminals and Markdown."""
