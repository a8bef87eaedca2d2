-- What the gate said and what was published, as JSON; null where there was no gate.

ALTER TABLE evaluations ADD COLUMN gate TEXT NOT NULL DEFAULT 'null';
