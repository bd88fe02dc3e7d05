-- What models may read. Derivable: `cra index --full` rebuilds every row from the repository.
-- Parsed facts are keyed by content (parsed_blobs), paths point at content (files), relations
-- between paths are derived from both (edges).

-- state ('complete' once an index was written), head (commit id or empty), format (of the parsed
-- rows), scan_started_ns, history_format.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE parsed_blobs (
    blob_pk    INTEGER PRIMARY KEY,
    blob_id    TEXT NOT NULL,
    language   TEXT,
    status     TEXT NOT NULL,
    reason     TEXT NOT NULL DEFAULT '',
    line_count INTEGER NOT NULL,
    UNIQUE (blob_id, language)
) STRICT;

CREATE TABLE symbols (
    symbol_pk      INTEGER PRIMARY KEY,
    blob_pk        INTEGER NOT NULL REFERENCES parsed_blobs (blob_pk) ON DELETE CASCADE,
    ordinal        INTEGER NOT NULL,
    parent_ordinal INTEGER,
    kind           TEXT NOT NULL,
    name           TEXT NOT NULL,
    qualified_name TEXT NOT NULL,
    signature      TEXT NOT NULL,
    start_byte     INTEGER NOT NULL,
    end_byte       INTEGER NOT NULL,
    start_line     INTEGER NOT NULL,
    end_line       INTEGER NOT NULL,
    doc_start_byte INTEGER,
    doc_end_byte   INTEGER,
    doc_start_line INTEGER,
    doc_end_line   INTEGER
) STRICT;
CREATE INDEX symbols_blob ON symbols (blob_pk, ordinal);
CREATE INDEX symbols_name ON symbols (name);

-- One row per (blob, kind, name, receiver, enclosing symbol); `first_*` is the first occurrence.
CREATE TABLE symbol_references (
    blob_pk           INTEGER NOT NULL REFERENCES parsed_blobs (blob_pk) ON DELETE CASCADE,
    kind              TEXT NOT NULL,
    name              TEXT NOT NULL,
    receiver          TEXT NOT NULL DEFAULT '',
    enclosing_ordinal INTEGER,
    first_line        INTEGER NOT NULL,
    first_byte        INTEGER NOT NULL,
    occurrences       INTEGER NOT NULL
) STRICT;
CREATE INDEX symbol_references_blob ON symbol_references (blob_pk);
CREATE INDEX symbol_references_name ON symbol_references (name);

CREATE TABLE imports (
    blob_pk INTEGER NOT NULL REFERENCES parsed_blobs (blob_pk) ON DELETE CASCADE,
    module  TEXT NOT NULL,
    name    TEXT NOT NULL,
    alias   TEXT NOT NULL,
    level   INTEGER NOT NULL,
    line    INTEGER NOT NULL
) STRICT;
CREATE INDEX imports_blob ON imports (blob_pk);

-- Tokens of repo/tokens.py separated by blanks (a bag: their order means nothing): what full-text
-- search reads. They are lower-case already, so `blob_search` and `path_search` only cut at blanks:
-- every byte above 0x7f and `_` belongs to a token, and `foo_bar` is found whole beside its parts.
CREATE TABLE blob_text (
    blob_pk     INTEGER PRIMARY KEY REFERENCES parsed_blobs (blob_pk) ON DELETE CASCADE,
    names       TEXT NOT NULL,
    prose       TEXT NOT NULL,
    identifiers TEXT NOT NULL
) STRICT;

-- Holds only blobs that a live file points at, so that term statistics are those of the tree.
CREATE VIRTUAL TABLE blob_search USING fts5 (
    names, prose, identifiers,
    content='blob_text', content_rowid='blob_pk', tokenize='ascii tokenchars _'
);

CREATE TABLE files (
    file_pk    INTEGER PRIMARY KEY,
    path       BLOB NOT NULL UNIQUE,
    display    TEXT NOT NULL,
    blob_pk    INTEGER NOT NULL REFERENCES parsed_blobs (blob_pk),
    size_bytes INTEGER NOT NULL,
    mtime_ns   INTEGER NOT NULL,
    inode      INTEGER NOT NULL DEFAULT 0,
    ctime_ns   INTEGER NOT NULL DEFAULT 0,
    language   TEXT,
    is_test    INTEGER NOT NULL,
    executable INTEGER NOT NULL
) STRICT;
CREATE INDEX files_blob ON files (blob_pk);

CREATE VIRTUAL TABLE path_search USING fts5 (
    path_tokens, tokenize='ascii tokenchars _'
);

CREATE TABLE skipped_files (
    path    BLOB PRIMARY KEY,
    display TEXT NOT NULL,
    reason  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Resolved relations. Ordinals point into the symbols of the file's blob; confidence in (0, 1].
CREATE TABLE edges (
    kind           TEXT NOT NULL,
    source_file    INTEGER NOT NULL REFERENCES files (file_pk) ON DELETE CASCADE,
    source_ordinal INTEGER,
    target_file    INTEGER NOT NULL REFERENCES files (file_pk) ON DELETE CASCADE,
    target_ordinal INTEGER,
    confidence     REAL NOT NULL,
    occurrences    INTEGER NOT NULL
) STRICT;
CREATE INDEX edges_source ON edges (source_file, kind);
CREATE INDEX edges_target ON edges (target_file, kind);

CREATE TABLE commits (
    commit_pk   INTEGER PRIMARY KEY,
    commit_id   TEXT NOT NULL UNIQUE,
    author_time INTEGER NOT NULL,
    subject     TEXT NOT NULL,
    body        TEXT NOT NULL,
    is_merge    INTEGER NOT NULL
) STRICT;

CREATE TABLE history_paths (
    path_pk INTEGER PRIMARY KEY,
    path    BLOB NOT NULL UNIQUE
) STRICT;

CREATE TABLE commit_files (
    commit_pk INTEGER NOT NULL REFERENCES commits (commit_pk) ON DELETE CASCADE,
    path_pk   INTEGER NOT NULL REFERENCES history_paths (path_pk),
    status    TEXT NOT NULL
) STRICT;
CREATE INDEX commit_files_commit ON commit_files (commit_pk);
CREATE INDEX commit_files_path ON commit_files (path_pk);

CREATE VIRTUAL TABLE commit_search USING fts5 (
    subject, body, content='commits', content_rowid='commit_pk',
    tokenize='unicode61 remove_diacritics 0'
);

-- Per live path: commits, those that look like fixes, last touch (seconds since the epoch).
CREATE TABLE churn (
    path_pk     INTEGER PRIMARY KEY REFERENCES history_paths (path_pk),
    commits     INTEGER NOT NULL,
    fixes       INTEGER NOT NULL,
    last_time   INTEGER NOT NULL
) STRICT;

-- Paths changed together in commits of at most 20 files; path_a < path_b.
CREATE TABLE cochange (
    path_a  INTEGER NOT NULL REFERENCES history_paths (path_pk),
    path_b  INTEGER NOT NULL REFERENCES history_paths (path_pk),
    commits INTEGER NOT NULL,
    PRIMARY KEY (path_a, path_b)
) STRICT, WITHOUT ROWID;
CREATE INDEX cochange_b ON cochange (path_b);
