-- A version of an alias is as new as its last commit under that name: content that is made again is the newest one again.
CREATE TABLE artifact_versions (
    seq              INTEGER PRIMARY KEY AUTOINCREMENT,
    parent           TEXT    NOT NULL,
    artifact_seq     INTEGER NOT NULL REFERENCES artifacts (seq) ON DELETE CASCADE,
    UNIQUE (parent, artifact_seq)
) STRICT;

INSERT INTO artifact_versions (parent, artifact_seq)
    SELECT parent, artifact_seq FROM artifact_parents ORDER BY artifact_seq;

DROP TABLE artifact_parents;

CREATE INDEX artifact_versions_by_parent ON artifact_versions (parent, seq);
CREATE INDEX artifact_versions_by_artifact ON artifact_versions (artifact_seq);
