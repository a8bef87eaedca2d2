-- What a job's adapter is evaluated on before it is published, how far that has come, and whether the alias is to get back the version
-- that it had because the job was ended meanwhile.
ALTER TABLE jobs ADD COLUMN publication_digest TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN publication BLOB;
ALTER TABLE jobs ADD COLUMN withdraw INTEGER NOT NULL DEFAULT 0;

CREATE INDEX jobs_to_withdraw ON jobs (number) WHERE withdraw = 1;
