-- Parsed contents that no file points at now (another branch or commit has them). They are in no
-- full-text index, and every reader goes through `files`, so they say nothing about the tree.
-- `turn` counts the index runs that left some: the oldest go first.
CREATE TABLE kept_blobs (
    blob_pk INTEGER PRIMARY KEY REFERENCES parsed_blobs (blob_pk) ON DELETE CASCADE,
    turn    INTEGER NOT NULL
) STRICT;
