-- Jobs, their events and their saved states. Times are microseconds since 1970; events and specifications are encoded
-- messages of the contract.

CREATE TABLE jobs (
    number                    INTEGER PRIMARY KEY AUTOINCREMENT,
    id                        TEXT    NOT NULL UNIQUE,
    request_id                TEXT    UNIQUE,
    spec                      BLOB    NOT NULL,
    dataset_digest            TEXT    NOT NULL,
    validation_dataset_digest TEXT    NOT NULL,
    base_digest               TEXT    NOT NULL,
    tokenizer_artifact_digest TEXT    NOT NULL,
    tokenizer_digest          TEXT    NOT NULL,
    traceparent               TEXT    NOT NULL,
    save_total_limit          INTEGER NOT NULL,
    state                     INTEGER NOT NULL,
    progress                  BLOB,
    result_digest             TEXT    NOT NULL DEFAULT '',
    error                     TEXT    NOT NULL DEFAULT '',
    create_micros             INTEGER NOT NULL,
    start_micros              INTEGER,
    end_micros                INTEGER,
    -- How often a worker began the job.
    attempts                  INTEGER NOT NULL DEFAULT 0,
    -- Workers started since a state was last saved.
    stalled                   INTEGER NOT NULL DEFAULT 0,
    -- No worker is started before.
    not_before_micros         INTEGER NOT NULL DEFAULT 0,
    -- SHA-256 of the token of the worker that was started last; empty when none may come.
    lease_hash                TEXT    NOT NULL DEFAULT '',
    -- Number of the last event that this worker reported.
    last_sequence             INTEGER NOT NULL DEFAULT 0,
    -- Id of the last event.
    last_event                INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX jobs_by_state ON jobs (state, number);

CREATE TABLE events (
    job         INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
    event_id    INTEGER NOT NULL,
    time_micros INTEGER NOT NULL,
    event       BLOB    NOT NULL,
    PRIMARY KEY (job, event_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE saved_states (
    job    INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
    step   INTEGER NOT NULL,
    digest TEXT    NOT NULL,
    PRIMARY KEY (job, step)
) STRICT, WITHOUT ROWID;

CREATE INDEX saved_states_by_digest ON saved_states (digest);

-- States that no job keeps and that are still to be deleted from the checkpoint service.
CREATE TABLE discarded_states (
    digest TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
