-- Vectors of chunks of code, made only where [embed] is on. Derivable: `cra index` makes what is
-- missing. Keyed by content, so a blob is embedded once, whatever its path or branch.

-- One row for each way to make vectors: the digest covers the model's files, how text is cut and
-- the arithmetic. Vectors of two ways are never compared.
CREATE TABLE embedders (
    embedder_pk INTEGER PRIMARY KEY,
    digest      TEXT NOT NULL UNIQUE,
    dimension   INTEGER NOT NULL CHECK (dimension > 0)
) STRICT;

-- A row stands here once all chunks of the blob are in `vectors`; a blob may have none.
CREATE TABLE embedded_blobs (
    embedded_pk INTEGER PRIMARY KEY,
    embedder_pk INTEGER NOT NULL REFERENCES embedders (embedder_pk) ON DELETE CASCADE,
    blob_id     TEXT NOT NULL,
    language    TEXT NOT NULL,
    UNIQUE (embedder_pk, blob_id, language)
) STRICT;

-- `vector` is `dimension` little-endian float32 numbers of the bytes from start to end.
CREATE TABLE vectors (
    embedded_pk INTEGER NOT NULL REFERENCES embedded_blobs (embedded_pk) ON DELETE CASCADE,
    start_byte  INTEGER NOT NULL,
    end_byte    INTEGER NOT NULL,
    start_line  INTEGER NOT NULL,
    end_line    INTEGER NOT NULL,
    vector      BLOB NOT NULL,
    UNIQUE (embedded_pk, start_byte, end_byte)
) STRICT;
