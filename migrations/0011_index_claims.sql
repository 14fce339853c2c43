-- What the claim of jobs looks through and counts, so that a flood of queued jobs costs it nothing; and the storage that a heavy
-- order strains.

-- The storage's key, while an order that strains it is out (`command_id`), or is held back until the storage has room.
ALTER TABLE jobs ADD COLUMN room TEXT;
CREATE INDEX jobs_by_room ON jobs (room) WHERE room IS NOT NULL;

-- Each tenant's queue in its order; the tenants themselves are found by jumping from one to the next.
CREATE INDEX jobs_queued_by_tenant ON jobs (tenant_id, run_at, id) WHERE state = 'queued';
-- What has begun and can go on.
CREATE INDEX jobs_begun ON jobs (run_at, id) WHERE state IN ('running', 'undoing') AND waits_for IS NULL;
-- How much of each tenant is under way; what waits for an agent that is away is not.
CREATE INDEX jobs_begun_by_tenant ON jobs (tenant_id) WHERE state IN ('running', 'undoing') AND waits_for IS NULL;
DROP INDEX jobs_busy_by_tenant;
