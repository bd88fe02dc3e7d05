-- Promoted descriptions: what `cra enrich --promote` copied from raw. Keyed by content, so they hold
-- at any path; a rebuild of the index copies them again from raw.
CREATE TABLE descriptions (
    blob_id       TEXT PRIMARY KEY,
    enrichment_id TEXT NOT NULL,
    purpose       TEXT NOT NULL,
    concepts      TEXT NOT NULL,
    relations     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
