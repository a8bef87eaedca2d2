-- What a worker has read of a job's data, as an encoded message of the contract; null until then.
ALTER TABLE jobs ADD COLUMN data_ready BLOB;
