-- The adapter that a job goes on with; empty where there is none.
ALTER TABLE jobs ADD COLUMN adapter_digest TEXT NOT NULL DEFAULT '';
