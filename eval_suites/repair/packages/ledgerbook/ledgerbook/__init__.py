"""A small double-entry ledger kept in whole cents."""
