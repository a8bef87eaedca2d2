-- The catalog: artifacts with their manifests, which blobs they need, where they are listed, and the names that move.

CREATE TABLE artifacts (
    seq              INTEGER PRIMARY KEY AUTOINCREMENT,
    digest           TEXT    NOT NULL UNIQUE,
    kind             TEXT    NOT NULL,
    -- The manifest as canonical JSON: the bytes that the digest is of.
    manifest         TEXT    NOT NULL,
    -- Where it was listed first.
    parent           TEXT,
    base_digest      TEXT,
    create_micros    INTEGER NOT NULL
) STRICT;

CREATE INDEX artifacts_by_kind ON artifacts (kind, seq);
CREATE INDEX artifacts_by_base ON artifacts (base_digest) WHERE base_digest IS NOT NULL;

CREATE TABLE artifact_blobs (
    artifact_seq     INTEGER NOT NULL REFERENCES artifacts (seq) ON DELETE CASCADE,
    path             TEXT    NOT NULL,
    digest           TEXT    NOT NULL,
    PRIMARY KEY (artifact_seq, path)
) STRICT, WITHOUT ROWID;

CREATE INDEX artifact_blobs_by_digest ON artifact_blobs (digest);

-- The same content may be a version of several aliases.
CREATE TABLE artifact_parents (
    parent           TEXT    NOT NULL,
    artifact_seq     INTEGER NOT NULL REFERENCES artifacts (seq) ON DELETE CASCADE,
    PRIMARY KEY (parent, artifact_seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX artifact_parents_by_artifact ON artifact_parents (artifact_seq);

-- Every move of every alias, in the order in which they happened. Watches and histories are read from here.
CREATE TABLE alias_events (
    event_id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name             TEXT    NOT NULL,
    kind             TEXT    NOT NULL,
    generation       INTEGER NOT NULL,
    digest           TEXT    NOT NULL,
    etag             TEXT    NOT NULL,
    base_digest      TEXT,
    set_micros       INTEGER NOT NULL,
    UNIQUE (name, generation)
) STRICT;

-- The last event of each alias, and the promise that what it names stays.
CREATE TABLE aliases (
    name             TEXT    PRIMARY KEY,
    kind             TEXT    NOT NULL,
    digest           TEXT    NOT NULL REFERENCES artifacts (digest),
    event_id         INTEGER NOT NULL UNIQUE REFERENCES alias_events (event_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX aliases_by_digest ON aliases (digest);
