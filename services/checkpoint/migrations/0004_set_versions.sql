-- Which moves of an alias set another version than the one before: these are its history, however many others come between.
ALTER TABLE alias_events ADD COLUMN sets_version INTEGER NOT NULL DEFAULT 0;

UPDATE alias_events SET sets_version = 1 WHERE NOT EXISTS (
    SELECT 1 FROM alias_events AS before
    WHERE before.name = alias_events.name AND before.generation = alias_events.generation - 1
      AND before.digest = alias_events.digest
);

CREATE INDEX alias_versions ON alias_events (name, generation) WHERE sets_version;
