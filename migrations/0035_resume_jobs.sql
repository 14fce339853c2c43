-- A stuck job that is to be looked at again as soon as no other job of its pod is under way.
ALTER TABLE jobs ADD COLUMN resume_wanted BOOLEAN NOT NULL DEFAULT FALSE;
