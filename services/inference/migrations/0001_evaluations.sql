-- Evaluations. Times are microseconds since 1970; specifications are encoded messages of the contract, the rest is JSON.

CREATE TABLE evaluations (
    number          INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT    NOT NULL UNIQUE,
    request_id      TEXT    UNIQUE,
    spec            BLOB    NOT NULL,
    -- The digests that the specification's names stood for when the evaluation was created.
    pinned          TEXT    NOT NULL,
    total_rows      INTEGER NOT NULL,
    completed_rows  INTEGER NOT NULL DEFAULT 0,
    state           INTEGER NOT NULL,
    -- One result for each target, without the rows' evidence, and that evidence apart: lists don't read it.
    results         TEXT    NOT NULL DEFAULT '[]',
    items           TEXT    NOT NULL DEFAULT '[]',
    evidence_digest TEXT    NOT NULL DEFAULT '',
    error           TEXT    NOT NULL DEFAULT '',
    create_micros   INTEGER NOT NULL,
    end_micros      INTEGER
) STRICT;

CREATE INDEX evaluations_by_state ON evaluations (state, number);
