-- What models were asked and what they answered, and what was made of it. Append-only like the rest
-- of raw: triggers at the end. A request and its fragments are written before anything is sent, a
-- reply before it is parsed.

-- One call of a model. `choice` is the JSON of the router's answer (backend, model, adapter,
-- sampling, window); `prompt_sha256` is the blob of the exact bytes sent as one user message,
-- `schema_sha256` that of the JSON schema, '' without one. `package_id` names the context package
-- whose decisions let the code in; a judge's request names the package being built.
CREATE TABLE model_requests (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id    TEXT NOT NULL UNIQUE,
    run_id        TEXT NOT NULL REFERENCES runs (run_id),
    task_id       TEXT REFERENCES tasks (task_id),
    stage         TEXT NOT NULL,
    role          TEXT NOT NULL,
    package_id    TEXT NOT NULL,
    choice        TEXT NOT NULL,
    prompt_sha256 TEXT NOT NULL,
    schema_sha256 TEXT NOT NULL,
    tokens        INTEGER NOT NULL,
    counter       TEXT NOT NULL,
    at            TEXT NOT NULL
) STRICT;
CREATE INDEX model_requests_task ON model_requests (task_id);
CREATE INDEX model_requests_prompt ON model_requests (prompt_sha256);

-- The typed pieces of a request's prompt, in order. `source` names the row that other content
-- follows from, as `table:id`; code names its decision in `package_id`.
CREATE TABLE prompt_fragments (
    seq            INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id     TEXT NOT NULL REFERENCES model_requests (request_id),
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
    source         TEXT NOT NULL,
    tokens         INTEGER NOT NULL,
    content_sha256 TEXT NOT NULL
) STRICT;
CREATE INDEX prompt_fragments_request ON prompt_fragments (request_id, position);

-- One try of a call. `prompt_tokens` and `output_tokens` are the server's counts, NULL where it
-- gives none; `digest` is that of the model as served.
CREATE TABLE model_replies (
    seq                 INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id          TEXT NOT NULL REFERENCES model_requests (request_id),
    try_number          INTEGER NOT NULL,
    status              TEXT NOT NULL,
    text_sha256         TEXT NOT NULL,
    finish_reason       TEXT NOT NULL,
    model               TEXT NOT NULL,
    digest              TEXT NOT NULL,
    prompt_tokens       INTEGER,
    output_tokens       INTEGER,
    first_token_seconds REAL,
    seconds             REAL NOT NULL,
    error               TEXT NOT NULL,
    at                  TEXT NOT NULL,
    UNIQUE (request_id, try_number)
) STRICT;

-- A validated plan: JSON of {summary, steps: [{action, path, symbol, intent}]}.
CREATE TABLE plans (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    plan_id    TEXT NOT NULL UNIQUE,
    task_id    TEXT NOT NULL REFERENCES tasks (task_id),
    request_id TEXT NOT NULL,
    plan       TEXT NOT NULL,
    at         TEXT NOT NULL
) STRICT;

-- One turn of an attempt by a model: the action it chose, what became of it, and what it was told
-- next. `edits` as in `patches`; `test_run_id` '' where no test ran.
CREATE TABLE turns (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    turn_id     TEXT NOT NULL UNIQUE,
    attempt_id  TEXT NOT NULL REFERENCES attempts (attempt_id),
    position    INTEGER NOT NULL,
    request_id  TEXT NOT NULL,
    action      TEXT NOT NULL,
    outcome     TEXT NOT NULL,
    observation TEXT NOT NULL,
    edits       TEXT NOT NULL,
    test_run_id TEXT NOT NULL
) STRICT;
CREATE INDEX turns_attempt ON turns (attempt_id);

-- How one patch was chosen among several: `scores` is a JSON list of {patch_id, ...terms}.
CREATE TABLE selections (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    selection_id TEXT NOT NULL UNIQUE,
    task_id      TEXT NOT NULL REFERENCES tasks (task_id),
    selector     TEXT NOT NULL,
    patch_id     TEXT NOT NULL,
    reason       TEXT NOT NULL,
    request_id   TEXT NOT NULL,
    scores       TEXT NOT NULL
) STRICT;

-- An answer to a question: `claims` is a JSON list of {text, citations: [{path, start_line,
-- end_line, blob_id}], refused}; only claims with an empty `refused` were printed.
CREATE TABLE answers (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    answer_id  TEXT NOT NULL UNIQUE,
    task_id    TEXT NOT NULL REFERENCES tasks (task_id),
    package_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    commit_id  TEXT NOT NULL,
    claims     TEXT NOT NULL,
    at         TEXT NOT NULL
) STRICT;

-- What a model says of one file's content: JSON of {purpose, concepts, relations}.
CREATE TABLE enrichments (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    enrichment_id TEXT NOT NULL UNIQUE,
    run_id        TEXT NOT NULL REFERENCES runs (run_id),
    request_id    TEXT NOT NULL,
    path          BLOB NOT NULL,
    blob_id       TEXT NOT NULL,
    model         TEXT NOT NULL,
    description   TEXT NOT NULL,
    at            TEXT NOT NULL
) STRICT;
CREATE INDEX enrichments_blob ON enrichments (blob_id);

-- The explicit act that lets a description into curated, and under which rule.
CREATE TABLE promotions (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    promotion_id  TEXT NOT NULL UNIQUE,
    enrichment_id TEXT NOT NULL REFERENCES enrichments (enrichment_id),
    run_id        TEXT NOT NULL REFERENCES runs (run_id),
    rule          TEXT NOT NULL,
    at            TEXT NOT NULL
) STRICT;

CREATE TRIGGER model_requests_no_update BEFORE UPDATE ON model_requests
BEGIN SELECT RAISE(ABORT, 'model_requests is append-only'); END;
CREATE TRIGGER model_requests_no_delete BEFORE DELETE ON model_requests
BEGIN SELECT RAISE(ABORT, 'model_requests is append-only'); END;
CREATE TRIGGER model_requests_no_replace BEFORE INSERT ON model_requests
WHEN EXISTS (SELECT 1 FROM model_requests WHERE seq = NEW.seq
        OR request_id = NEW.request_id)
BEGIN SELECT RAISE(ABORT, 'model_requests already has this row'); END;

CREATE TRIGGER prompt_fragments_no_update BEFORE UPDATE ON prompt_fragments
BEGIN SELECT RAISE(ABORT, 'prompt_fragments is append-only'); END;
CREATE TRIGGER prompt_fragments_no_delete BEFORE DELETE ON prompt_fragments
BEGIN SELECT RAISE(ABORT, 'prompt_fragments is append-only'); END;
CREATE TRIGGER prompt_fragments_no_replace BEFORE INSERT ON prompt_fragments
WHEN EXISTS (SELECT 1 FROM prompt_fragments WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'prompt_fragments already has this row'); END;

CREATE TRIGGER model_replies_no_update BEFORE UPDATE ON model_replies
BEGIN SELECT RAISE(ABORT, 'model_replies is append-only'); END;
CREATE TRIGGER model_replies_no_delete BEFORE DELETE ON model_replies
BEGIN SELECT RAISE(ABORT, 'model_replies is append-only'); END;
CREATE TRIGGER model_replies_no_replace BEFORE INSERT ON model_replies
WHEN EXISTS (SELECT 1 FROM model_replies WHERE seq = NEW.seq
        OR (request_id = NEW.request_id AND try_number = NEW.try_number))
BEGIN SELECT RAISE(ABORT, 'model_replies already has this row'); END;

CREATE TRIGGER plans_no_update BEFORE UPDATE ON plans
BEGIN SELECT RAISE(ABORT, 'plans is append-only'); END;
CREATE TRIGGER plans_no_delete BEFORE DELETE ON plans
BEGIN SELECT RAISE(ABORT, 'plans is append-only'); END;
CREATE TRIGGER plans_no_replace BEFORE INSERT ON plans
WHEN EXISTS (SELECT 1 FROM plans WHERE seq = NEW.seq
        OR plan_id = NEW.plan_id)
BEGIN SELECT RAISE(ABORT, 'plans already has this row'); END;

CREATE TRIGGER turns_no_update BEFORE UPDATE ON turns
BEGIN SELECT RAISE(ABORT, 'turns is append-only'); END;
CREATE TRIGGER turns_no_delete BEFORE DELETE ON turns
BEGIN SELECT RAISE(ABORT, 'turns is append-only'); END;
CREATE TRIGGER turns_no_replace BEFORE INSERT ON turns
WHEN EXISTS (SELECT 1 FROM turns WHERE seq = NEW.seq
        OR turn_id = NEW.turn_id)
BEGIN SELECT RAISE(ABORT, 'turns already has this row'); END;

CREATE TRIGGER selections_no_update BEFORE UPDATE ON selections
BEGIN SELECT RAISE(ABORT, 'selections is append-only'); END;
CREATE TRIGGER selections_no_delete BEFORE DELETE ON selections
BEGIN SELECT RAISE(ABORT, 'selections is append-only'); END;
CREATE TRIGGER selections_no_replace BEFORE INSERT ON selections
WHEN EXISTS (SELECT 1 FROM selections WHERE seq = NEW.seq
        OR selection_id = NEW.selection_id)
BEGIN SELECT RAISE(ABORT, 'selections already has this row'); END;

CREATE TRIGGER answers_no_update BEFORE UPDATE ON answers
BEGIN SELECT RAISE(ABORT, 'answers is append-only'); END;
CREATE TRIGGER answers_no_delete BEFORE DELETE ON answers
BEGIN SELECT RAISE(ABORT, 'answers is append-only'); END;
CREATE TRIGGER answers_no_replace BEFORE INSERT ON answers
WHEN EXISTS (SELECT 1 FROM answers WHERE seq = NEW.seq
        OR answer_id = NEW.answer_id)
BEGIN SELECT RAISE(ABORT, 'answers already has this row'); END;

CREATE TRIGGER enrichments_no_update BEFORE UPDATE ON enrichments
BEGIN SELECT RAISE(ABORT, 'enrichments is append-only'); END;
CREATE TRIGGER enrichments_no_delete BEFORE DELETE ON enrichments
BEGIN SELECT RAISE(ABORT, 'enrichments is append-only'); END;
CREATE TRIGGER enrichments_no_replace BEFORE INSERT ON enrichments
WHEN EXISTS (SELECT 1 FROM enrichments WHERE seq = NEW.seq
        OR enrichment_id = NEW.enrichment_id)
BEGIN SELECT RAISE(ABORT, 'enrichments already has this row'); END;

CREATE TRIGGER promotions_no_update BEFORE UPDATE ON promotions
BEGIN SELECT RAISE(ABORT, 'promotions is append-only'); END;
CREATE TRIGGER promotions_no_delete BEFORE DELETE ON promotions
BEGIN SELECT RAISE(ABORT, 'promotions is append-only'); END;
CREATE TRIGGER promotions_no_replace BEFORE INSERT ON promotions
WHEN EXISTS (SELECT 1 FROM promotions WHERE seq = NEW.seq
        OR promotion_id = NEW.promotion_id)
BEGIN SELECT RAISE(ABORT, 'promotions already has this row'); END;
