-- The number of a VM that was declared lost is another VM's now, with another stamp or none: it was left alone, and a person has
-- to say what it is.
ALTER TABLE fences ADD COLUMN foreign_vm BOOLEAN NOT NULL DEFAULT FALSE;
