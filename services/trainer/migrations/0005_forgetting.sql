-- What a job does against forgetting: the Fisher information that weights are held by, the earlier data that is seen again, and that of
-- which something must be left. Empty where there is none.
ALTER TABLE jobs ADD COLUMN fisher_digest TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN replay_digest TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN retention_digest TEXT NOT NULL DEFAULT '';
