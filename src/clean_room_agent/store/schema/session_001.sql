-- One task's working memory: keys and JSON values. Archived into raw, then deleted.

CREATE TABLE entries (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    at    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
