-- Whose a job is, and its place among those that wait: lower numbers begin first.
ALTER TABLE jobs ADD COLUMN tenant TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;

CREATE INDEX jobs_by_place ON jobs (state, priority, number);
