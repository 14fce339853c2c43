-- What customers' people may not do to what is the platform's, and how long what they may lasts.

-- Pools that are not for every customer: only the platform's staff gives out their addresses, by naming them.
ALTER TABLE ip_pools ADD COLUMN public BOOLEAN NOT NULL DEFAULT TRUE;

-- By what somebody asked for a console, to see whether it still counts: {"token":…}, {"user":…,"session":…} or {"user":…}. A
-- console from before counts no more.
ALTER TABLE consoles ADD COLUMN opener JSONB;
