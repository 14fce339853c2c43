-- The claim finds and counts what lives without walking over what is dead. While somebody holds a transaction open, no dead row
-- can be cleaned away: an index that gets an entry with every write of a job, and is read from its start, is then slower from
-- minute to minute. So what waits to be claimed has indexes that a job under lease is not in, and what is under lease is counted
-- from the present time on.

-- What waits to begin: one entry for each job and try.
DROP INDEX jobs_due;
CREATE INDEX jobs_queued ON jobs (run_at, id) WHERE state = 'queued';

-- What has begun, can go on, and nobody works on.
DROP INDEX jobs_begun;
CREATE INDEX jobs_free ON jobs (run_at, id) WHERE state IN ('running', 'undoing') AND waits_for IS NULL AND lease_owner IS NULL;
CREATE INDEX jobs_free_by_tenant ON jobs (tenant_id)
    WHERE state IN ('running', 'undoing') AND waits_for IS NULL AND lease_owner IS NULL;

-- What somebody works on, by the end of its lease: for what has lapsed, and to count by tenant and by server.
DROP INDEX jobs_begun_by_tenant;
DROP INDEX jobs_live_by_server;
CREATE INDEX jobs_leased ON jobs (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX jobs_leased_by_tenant ON jobs (tenant_id, lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX jobs_out_by_server ON jobs (command_server, lease_until) WHERE command_server IS NOT NULL;
