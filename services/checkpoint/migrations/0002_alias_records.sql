-- What an alias record says beside its version: a canary, a pin, what running requests do, and whether it is retired.

ALTER TABLE alias_events ADD COLUMN canary_digest TEXT;
ALTER TABLE alias_events ADD COLUMN canary_share REAL;
ALTER TABLE alias_events ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
ALTER TABLE alias_events ADD COLUMN running TEXT NOT NULL DEFAULT 'finish';
ALTER TABLE alias_events ADD COLUMN retired INTEGER NOT NULL DEFAULT 0;

-- An alias that is retired keeps its place, for its generation goes on counting, and names nothing.
CREATE TABLE alias_records (
    name             TEXT    PRIMARY KEY,
    kind             TEXT    NOT NULL,
    digest           TEXT    REFERENCES artifacts (digest),
    canary_digest    TEXT    REFERENCES artifacts (digest),
    event_id         INTEGER NOT NULL UNIQUE REFERENCES alias_events (event_id)
) STRICT, WITHOUT ROWID;

INSERT INTO alias_records (name, kind, digest, event_id) SELECT name, kind, digest, event_id FROM aliases;
DROP TABLE aliases;
ALTER TABLE alias_records RENAME TO aliases;

CREATE INDEX aliases_by_digest ON aliases (digest);
CREATE INDEX aliases_by_canary ON aliases (canary_digest) WHERE canary_digest IS NOT NULL;
