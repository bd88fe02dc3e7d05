-- The append-only log of everything. Each append adds one chain row per table over the rows it
-- added; triggers (at the end) refuse update, delete and replace on every table. `seq` counts
-- 1, 2, 3, ... without gaps and is the only order. Large bytes live once in `blobs`. Times are UTC.

-- Content-addressed: `sha256` and `size_bytes` are those of the content, whatever `encoding` stores.
CREATE TABLE blobs (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256     TEXT NOT NULL UNIQUE,
    encoding   TEXT NOT NULL CHECK (encoding IN ('raw', 'zlib')),
    size_bytes INTEGER NOT NULL,
    data       BLOB NOT NULL
) STRICT;

-- digest = sha256 over the canonical form of rows [first_seq, last_seq] of `table_name`;
-- hash = sha256 over (previous hash, seq, table_name, first_seq, last_seq, digest).
CREATE TABLE chain (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    table_name TEXT NOT NULL,
    first_seq  INTEGER NOT NULL,
    last_seq   INTEGER NOT NULL,
    digest     TEXT NOT NULL,
    hash       TEXT NOT NULL
) STRICT;

CREATE TABLE runs (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id       TEXT NOT NULL UNIQUE,
    verb         TEXT NOT NULL,
    arguments    TEXT NOT NULL,
    config       TEXT NOT NULL,
    version      TEXT NOT NULL,
    pid          INTEGER NOT NULL,
    started_at   TEXT NOT NULL
) STRICT;

CREATE TABLE run_ends (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id    TEXT NOT NULL UNIQUE REFERENCES runs (run_id),
    status    TEXT NOT NULL,
    exit_code INTEGER NOT NULL,
    summary   TEXT NOT NULL,
    ended_at  TEXT NOT NULL
) STRICT;

CREATE TABLE events (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id  TEXT NOT NULL REFERENCES runs (run_id),
    task_id TEXT,
    level   TEXT NOT NULL CHECK (level IN ('info', 'warning', 'error')),
    kind    TEXT NOT NULL,
    data    TEXT NOT NULL,
    at      TEXT NOT NULL
) STRICT;

CREATE TABLE index_runs (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL REFERENCES runs (run_id),
    head   TEXT NOT NULL,
    report TEXT NOT NULL
) STRICT;

CREATE TABLE tasks (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id      TEXT NOT NULL UNIQUE,
    run_id       TEXT NOT NULL REFERENCES runs (run_id),
    mode         TEXT NOT NULL,
    text         TEXT NOT NULL,
    base_commit  TEXT NOT NULL,
    test_command TEXT NOT NULL,
    at           TEXT NOT NULL
) STRICT;

-- What a model would see. `prompt_sha256` is the blob of the exact rendered bytes.
CREATE TABLE context_packages (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    package_id    TEXT NOT NULL UNIQUE,
    task_id       TEXT NOT NULL REFERENCES tasks (task_id),
    prompt_sha256 TEXT NOT NULL,
    tokens        INTEGER NOT NULL,
    budget_tokens INTEGER NOT NULL,
    counter       TEXT NOT NULL
) STRICT;

CREATE TABLE analyses (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id    TEXT NOT NULL REFERENCES tasks (task_id),
    package_id TEXT NOT NULL REFERENCES context_packages (package_id),
    analysis   TEXT NOT NULL
) STRICT;

CREATE TABLE stages (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    stage_id   TEXT NOT NULL UNIQUE,
    task_id    TEXT NOT NULL REFERENCES tasks (task_id),
    package_id TEXT NOT NULL REFERENCES context_packages (package_id),
    position   INTEGER NOT NULL,
    name       TEXT NOT NULL,
    judge      TEXT NOT NULL,
    warnings   TEXT NOT NULL,
    seconds    REAL NOT NULL
) STRICT;

-- One row per candidate of each stage, the excluded ones too. `path` is bytes as git has it. `signals` is a JSON list of
-- {name, value, weight, evidence}; `position` counts within the package's flat decision list.
CREATE TABLE retrieval_decisions (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    stage_id   TEXT NOT NULL REFERENCES stages (stage_id),
    task_id    TEXT NOT NULL REFERENCES tasks (task_id),
    package_id TEXT NOT NULL REFERENCES context_packages (package_id),
    position   INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    path       BLOB NOT NULL,
    symbol     TEXT NOT NULL,
    blob_id    TEXT NOT NULL,
    start_byte INTEGER,
    end_byte   INTEGER,
    start_line INTEGER,
    end_line   INTEGER,
    tokens     INTEGER NOT NULL,
    rank       INTEGER NOT NULL,
    score      REAL NOT NULL,
    verdict    TEXT NOT NULL,
    detail     TEXT,
    reason     TEXT NOT NULL,
    signals    TEXT NOT NULL
) STRICT;
CREATE INDEX retrieval_decisions_path ON retrieval_decisions (task_id, path);
CREATE INDEX retrieval_decisions_package ON retrieval_decisions (package_id, position);

-- `content_sha256` names the exact rendered bytes in `blobs`; a code fragment also names the
-- git blob and byte range they must equal, and the decision that let them in.
CREATE TABLE context_fragments (
    seq            INTEGER PRIMARY KEY AUTOINCREMENT,
    package_id     TEXT NOT NULL REFERENCES context_packages (package_id),
    position       INTEGER NOT NULL,
    kind           TEXT NOT NULL,
    template       TEXT NOT NULL,
    path           BLOB NOT NULL,
    symbol         TEXT NOT NULL,
    blob_id        TEXT,
    start_byte     INTEGER,
    end_byte       INTEGER,
    start_line     INTEGER,
    end_line       INTEGER,
    detail         TEXT,
    decision       INTEGER,
    tokens         INTEGER NOT NULL,
    content_sha256 TEXT NOT NULL
) STRICT;
CREATE INDEX context_fragments_package ON context_fragments (package_id, position);

-- `results_sha256` names a blob: a JSON list of {test_id, outcome, seconds, detail}.
CREATE TABLE test_runs (
    seq                INTEGER PRIMARY KEY AUTOINCREMENT,
    test_run_id        TEXT NOT NULL UNIQUE,
    task_id            TEXT NOT NULL REFERENCES tasks (task_id),
    purpose            TEXT NOT NULL,
    sandbox            TEXT NOT NULL,
    status             TEXT NOT NULL,
    exit_code          INTEGER,
    seconds            REAL NOT NULL,
    reason             TEXT NOT NULL,
    output_bytes       INTEGER NOT NULL,
    output_head_sha256 TEXT NOT NULL,
    output_tail_sha256 TEXT NOT NULL,
    results_sha256     TEXT NOT NULL
) STRICT;

CREATE TABLE attempts (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    attempt_id TEXT NOT NULL UNIQUE,
    task_id    TEXT NOT NULL REFERENCES tasks (task_id),
    generator  TEXT NOT NULL,
    limits     TEXT NOT NULL,
    spectrum   TEXT NOT NULL,
    at         TEXT NOT NULL
) STRICT;

CREATE TABLE trials (
    seq            INTEGER PRIMARY KEY AUTOINCREMENT,
    attempt_id     TEXT NOT NULL REFERENCES attempts (attempt_id),
    position       INTEGER NOT NULL,
    candidate_id   TEXT NOT NULL,
    template       TEXT NOT NULL,
    summary        TEXT NOT NULL,
    path           BLOB NOT NULL,
    line           INTEGER NOT NULL,
    suspiciousness REAL NOT NULL,
    prior          REAL NOT NULL,
    outcome        TEXT NOT NULL,
    test_id        TEXT NOT NULL,
    detail         TEXT NOT NULL,
    seconds        REAL NOT NULL
) STRICT;
CREATE INDEX trials_attempt ON trials (attempt_id);

-- Plausible patches in their final rank; rank 1 is the answer, rank 2 the runner-up. `edits` is a
-- JSON list of replacements whose new bytes are blobs; `diff_sha256` is the blob of the diff.
CREATE TABLE patches (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    patch_id     TEXT NOT NULL UNIQUE,
    attempt_id   TEXT NOT NULL REFERENCES attempts (attempt_id),
    candidate_id TEXT NOT NULL,
    rank         INTEGER NOT NULL,
    diff_sha256  TEXT NOT NULL,
    edits        TEXT NOT NULL,
    score        TEXT NOT NULL
) STRICT;

CREATE TABLE validations (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    validation_id TEXT NOT NULL UNIQUE,
    patch_id      TEXT NOT NULL REFERENCES patches (patch_id),
    test_run_id   TEXT NOT NULL REFERENCES test_runs (test_run_id),
    verdict       TEXT NOT NULL,
    reason        TEXT NOT NULL,
    flags         TEXT NOT NULL,
    fail_to_pass  TEXT NOT NULL,
    pass_to_pass  TEXT NOT NULL
) STRICT;

-- `files` is a JSON list of {path, before_sha256, after_sha256, executable}; contents are blobs.
-- An intent row precedes every change of the user's tree, an outcome row follows it.
CREATE TABLE applications (
    seq            INTEGER PRIMARY KEY AUTOINCREMENT,
    application_id TEXT NOT NULL,
    run_id         TEXT NOT NULL REFERENCES runs (run_id),
    patch_id       TEXT NOT NULL,
    action         TEXT NOT NULL CHECK (action IN ('apply', 'undo')),
    phase          TEXT NOT NULL CHECK (phase IN ('intent', 'done', 'rolled_back')),
    files          TEXT NOT NULL,
    at             TEXT NOT NULL,
    UNIQUE (application_id, action, phase)
) STRICT;

CREATE TABLE worktrees (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id TEXT NOT NULL,
    path    BLOB NOT NULL,
    action  TEXT NOT NULL CHECK (action IN ('created', 'removed', 'salvaged')),
    detail  TEXT NOT NULL,
    at      TEXT NOT NULL
) STRICT;

-- The whole content of a session as the blob `sha256`; the same content is archived once.
CREATE TABLE session_archives (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id TEXT NOT NULL,
    sha256  TEXT NOT NULL,
    entries INTEGER NOT NULL,
    at      TEXT NOT NULL,
    UNIQUE (task_id, sha256)
) STRICT;

-- Append-only. The insert guards matter for connections that leave recursive_triggers off, where
-- INSERT OR REPLACE would delete the old row without asking the delete trigger.

CREATE TRIGGER blobs_no_update BEFORE UPDATE ON blobs
BEGIN SELECT RAISE(ABORT, 'blobs is append-only'); END;
CREATE TRIGGER blobs_no_delete BEFORE DELETE ON blobs
BEGIN SELECT RAISE(ABORT, 'blobs is append-only'); END;
CREATE TRIGGER blobs_no_replace BEFORE INSERT ON blobs
WHEN EXISTS (SELECT 1 FROM blobs WHERE seq = NEW.seq
        OR sha256 = NEW.sha256)
BEGIN SELECT RAISE(ABORT, 'blobs already has this row'); END;

CREATE TRIGGER chain_no_update BEFORE UPDATE ON chain
BEGIN SELECT RAISE(ABORT, 'chain is append-only'); END;
CREATE TRIGGER chain_no_delete BEFORE DELETE ON chain
BEGIN SELECT RAISE(ABORT, 'chain is append-only'); END;
CREATE TRIGGER chain_no_replace BEFORE INSERT ON chain
WHEN EXISTS (SELECT 1 FROM chain WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'chain already has this row'); END;

CREATE TRIGGER runs_no_update BEFORE UPDATE ON runs
BEGIN SELECT RAISE(ABORT, 'runs is append-only'); END;
CREATE TRIGGER runs_no_delete BEFORE DELETE ON runs
BEGIN SELECT RAISE(ABORT, 'runs is append-only'); END;
CREATE TRIGGER runs_no_replace BEFORE INSERT ON runs
WHEN EXISTS (SELECT 1 FROM runs WHERE seq = NEW.seq
        OR run_id = NEW.run_id)
BEGIN SELECT RAISE(ABORT, 'runs already has this row'); END;

CREATE TRIGGER run_ends_no_update BEFORE UPDATE ON run_ends
BEGIN SELECT RAISE(ABORT, 'run_ends is append-only'); END;
CREATE TRIGGER run_ends_no_delete BEFORE DELETE ON run_ends
BEGIN SELECT RAISE(ABORT, 'run_ends is append-only'); END;
CREATE TRIGGER run_ends_no_replace BEFORE INSERT ON run_ends
WHEN EXISTS (SELECT 1 FROM run_ends WHERE seq = NEW.seq
        OR run_id = NEW.run_id)
BEGIN SELECT RAISE(ABORT, 'run_ends already has this row'); END;

CREATE TRIGGER events_no_update BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events is append-only'); END;
CREATE TRIGGER events_no_delete BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events is append-only'); END;
CREATE TRIGGER events_no_replace BEFORE INSERT ON events
WHEN EXISTS (SELECT 1 FROM events WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'events already has this row'); END;

CREATE TRIGGER index_runs_no_update BEFORE UPDATE ON index_runs
BEGIN SELECT RAISE(ABORT, 'index_runs is append-only'); END;
CREATE TRIGGER index_runs_no_delete BEFORE DELETE ON index_runs
BEGIN SELECT RAISE(ABORT, 'index_runs is append-only'); END;
CREATE TRIGGER index_runs_no_replace BEFORE INSERT ON index_runs
WHEN EXISTS (SELECT 1 FROM index_runs WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'index_runs already has this row'); END;

CREATE TRIGGER tasks_no_update BEFORE UPDATE ON tasks
BEGIN SELECT RAISE(ABORT, 'tasks is append-only'); END;
CREATE TRIGGER tasks_no_delete BEFORE DELETE ON tasks
BEGIN SELECT RAISE(ABORT, 'tasks is append-only'); END;
CREATE TRIGGER tasks_no_replace BEFORE INSERT ON tasks
WHEN EXISTS (SELECT 1 FROM tasks WHERE seq = NEW.seq
        OR task_id = NEW.task_id)
BEGIN SELECT RAISE(ABORT, 'tasks already has this row'); END;

CREATE TRIGGER context_packages_no_update BEFORE UPDATE ON context_packages
BEGIN SELECT RAISE(ABORT, 'context_packages is append-only'); END;
CREATE TRIGGER context_packages_no_delete BEFORE DELETE ON context_packages
BEGIN SELECT RAISE(ABORT, 'context_packages is append-only'); END;
CREATE TRIGGER context_packages_no_replace BEFORE INSERT ON context_packages
WHEN EXISTS (SELECT 1 FROM context_packages WHERE seq = NEW.seq
        OR package_id = NEW.package_id)
BEGIN SELECT RAISE(ABORT, 'context_packages already has this row'); END;

CREATE TRIGGER analyses_no_update BEFORE UPDATE ON analyses
BEGIN SELECT RAISE(ABORT, 'analyses is append-only'); END;
CREATE TRIGGER analyses_no_delete BEFORE DELETE ON analyses
BEGIN SELECT RAISE(ABORT, 'analyses is append-only'); END;
CREATE TRIGGER analyses_no_replace BEFORE INSERT ON analyses
WHEN EXISTS (SELECT 1 FROM analyses WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'analyses already has this row'); END;

CREATE TRIGGER stages_no_update BEFORE UPDATE ON stages
BEGIN SELECT RAISE(ABORT, 'stages is append-only'); END;
CREATE TRIGGER stages_no_delete BEFORE DELETE ON stages
BEGIN SELECT RAISE(ABORT, 'stages is append-only'); END;
CREATE TRIGGER stages_no_replace BEFORE INSERT ON stages
WHEN EXISTS (SELECT 1 FROM stages WHERE seq = NEW.seq
        OR stage_id = NEW.stage_id)
BEGIN SELECT RAISE(ABORT, 'stages already has this row'); END;

CREATE TRIGGER retrieval_decisions_no_update BEFORE UPDATE ON retrieval_decisions
BEGIN SELECT RAISE(ABORT, 'retrieval_decisions is append-only'); END;
CREATE TRIGGER retrieval_decisions_no_delete BEFORE DELETE ON retrieval_decisions
BEGIN SELECT RAISE(ABORT, 'retrieval_decisions is append-only'); END;
CREATE TRIGGER retrieval_decisions_no_replace BEFORE INSERT ON retrieval_decisions
WHEN EXISTS (SELECT 1 FROM retrieval_decisions WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'retrieval_decisions already has this row'); END;

CREATE TRIGGER context_fragments_no_update BEFORE UPDATE ON context_fragments
BEGIN SELECT RAISE(ABORT, 'context_fragments is append-only'); END;
CREATE TRIGGER context_fragments_no_delete BEFORE DELETE ON context_fragments
BEGIN SELECT RAISE(ABORT, 'context_fragments is append-only'); END;
CREATE TRIGGER context_fragments_no_replace BEFORE INSERT ON context_fragments
WHEN EXISTS (SELECT 1 FROM context_fragments WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'context_fragments already has this row'); END;

CREATE TRIGGER test_runs_no_update BEFORE UPDATE ON test_runs
BEGIN SELECT RAISE(ABORT, 'test_runs is append-only'); END;
CREATE TRIGGER test_runs_no_delete BEFORE DELETE ON test_runs
BEGIN SELECT RAISE(ABORT, 'test_runs is append-only'); END;
CREATE TRIGGER test_runs_no_replace BEFORE INSERT ON test_runs
WHEN EXISTS (SELECT 1 FROM test_runs WHERE seq = NEW.seq
        OR test_run_id = NEW.test_run_id)
BEGIN SELECT RAISE(ABORT, 'test_runs already has this row'); END;

CREATE TRIGGER attempts_no_update BEFORE UPDATE ON attempts
BEGIN SELECT RAISE(ABORT, 'attempts is append-only'); END;
CREATE TRIGGER attempts_no_delete BEFORE DELETE ON attempts
BEGIN SELECT RAISE(ABORT, 'attempts is append-only'); END;
CREATE TRIGGER attempts_no_replace BEFORE INSERT ON attempts
WHEN EXISTS (SELECT 1 FROM attempts WHERE seq = NEW.seq
        OR attempt_id = NEW.attempt_id)
BEGIN SELECT RAISE(ABORT, 'attempts already has this row'); END;

CREATE TRIGGER trials_no_update BEFORE UPDATE ON trials
BEGIN SELECT RAISE(ABORT, 'trials is append-only'); END;
CREATE TRIGGER trials_no_delete BEFORE DELETE ON trials
BEGIN SELECT RAISE(ABORT, 'trials is append-only'); END;
CREATE TRIGGER trials_no_replace BEFORE INSERT ON trials
WHEN EXISTS (SELECT 1 FROM trials WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'trials already has this row'); END;

CREATE TRIGGER patches_no_update BEFORE UPDATE ON patches
BEGIN SELECT RAISE(ABORT, 'patches is append-only'); END;
CREATE TRIGGER patches_no_delete BEFORE DELETE ON patches
BEGIN SELECT RAISE(ABORT, 'patches is append-only'); END;
CREATE TRIGGER patches_no_replace BEFORE INSERT ON patches
WHEN EXISTS (SELECT 1 FROM patches WHERE seq = NEW.seq
        OR patch_id = NEW.patch_id)
BEGIN SELECT RAISE(ABORT, 'patches already has this row'); END;

CREATE TRIGGER validations_no_update BEFORE UPDATE ON validations
BEGIN SELECT RAISE(ABORT, 'validations is append-only'); END;
CREATE TRIGGER validations_no_delete BEFORE DELETE ON validations
BEGIN SELECT RAISE(ABORT, 'validations is append-only'); END;
CREATE TRIGGER validations_no_replace BEFORE INSERT ON validations
WHEN EXISTS (SELECT 1 FROM validations WHERE seq = NEW.seq
        OR validation_id = NEW.validation_id)
BEGIN SELECT RAISE(ABORT, 'validations already has this row'); END;

CREATE TRIGGER applications_no_update BEFORE UPDATE ON applications
BEGIN SELECT RAISE(ABORT, 'applications is append-only'); END;
CREATE TRIGGER applications_no_delete BEFORE DELETE ON applications
BEGIN SELECT RAISE(ABORT, 'applications is append-only'); END;
CREATE TRIGGER applications_no_replace BEFORE INSERT ON applications
WHEN EXISTS (SELECT 1 FROM applications WHERE seq = NEW.seq
        OR (application_id = NEW.application_id AND action = NEW.action AND phase = NEW.phase))
BEGIN SELECT RAISE(ABORT, 'applications already has this row'); END;

CREATE TRIGGER worktrees_no_update BEFORE UPDATE ON worktrees
BEGIN SELECT RAISE(ABORT, 'worktrees is append-only'); END;
CREATE TRIGGER worktrees_no_delete BEFORE DELETE ON worktrees
BEGIN SELECT RAISE(ABORT, 'worktrees is append-only'); END;
CREATE TRIGGER worktrees_no_replace BEFORE INSERT ON worktrees
WHEN EXISTS (SELECT 1 FROM worktrees WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'worktrees already has this row'); END;

CREATE TRIGGER session_archives_no_update BEFORE UPDATE ON session_archives
BEGIN SELECT RAISE(ABORT, 'session_archives is append-only'); END;
CREATE TRIGGER session_archives_no_delete BEFORE DELETE ON session_archives
BEGIN SELECT RAISE(ABORT, 'session_archives is append-only'); END;
CREATE TRIGGER session_archives_no_replace BEFORE INSERT ON session_archives
WHEN EXISTS (SELECT 1 FROM session_archives WHERE seq = NEW.seq
        OR (task_id = NEW.task_id AND sha256 = NEW.sha256))
BEGIN SELECT RAISE(ABORT, 'session_archives already has this row'); END;
