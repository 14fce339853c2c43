-- How often an undo that was stuck was begun anew.
ALTER TABLE jobs ADD COLUMN retries BIGINT NOT NULL DEFAULT 0;
-- Which try of a step a line is of: tries are counted from 1 for the doing, for the undoing, and after each retry of that. NULL: from
-- before this was written down.
ALTER TABLE job_log ADD COLUMN phase TEXT CHECK (phase IN ('do', 'undo'));
ALTER TABLE job_log ADD COLUMN retry BIGINT NOT NULL DEFAULT 0;
