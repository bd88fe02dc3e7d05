-- Content that a tool wrote whole, with the rule that says so (repo/openings.py).
CREATE TABLE generated_blobs (
    blob_pk INTEGER PRIMARY KEY,
    rule    TEXT NOT NULL
) STRICT;

-- What .gitattributes says of live paths: words of 'generated', 'vendored', 'documentation', each
-- with '-' in front where it is denied.
CREATE TABLE file_attributes (
    path  BLOB PRIMARY KEY,
    words TEXT NOT NULL
) STRICT, WITHOUT ROWID;
