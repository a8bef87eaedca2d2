-- How often an evaluation was begun and neither ended nor given back by an orderly stop: each took the process down.

ALTER TABLE evaluations ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
