-- The data sets of a job's mix, in its order and apart by spaces; empty where there is none.
ALTER TABLE jobs ADD COLUMN mix_digests TEXT NOT NULL DEFAULT '';
