"""The only door to SQLite: connections, locks, the raw log, sessions.

Takes: records. Gives: rows, and records back. Does not know: what a row is good for.
"""
