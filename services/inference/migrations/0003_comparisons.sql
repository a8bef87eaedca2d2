-- How the targets did against each other; an evaluation from before this was computed has none.

ALTER TABLE evaluations ADD COLUMN comparisons TEXT NOT NULL DEFAULT '[]';
