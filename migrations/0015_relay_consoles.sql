-- Consoles whose browser came to one control plane and whose agent is connected to another.

-- Where the other control planes reach this one; '': nowhere.
ALTER TABLE instances ADD COLUMN internal_url TEXT NOT NULL DEFAULT '';

-- The control plane that the browser is connected to: the console is over when that one is no more.
ALTER TABLE consoles ADD COLUMN instance_id UUID;
