"""The only door to git and to grammars. Knows nothing of us; import from its modules."""
