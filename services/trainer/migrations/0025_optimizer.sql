-- The state of an earlier job whose optimizer a job goes on with; empty where there is none. It is found by what that job made.
ALTER TABLE jobs ADD COLUMN optimizer_digest TEXT NOT NULL DEFAULT '';

CREATE INDEX jobs_by_result ON jobs (result_digest);
CREATE INDEX jobs_by_optimizer ON jobs (optimizer_digest);
