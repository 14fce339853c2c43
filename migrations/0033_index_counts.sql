-- What plots and counts are drawn from, each from an index alone; and lists in other orders than that of their making.

-- Jobs by when they ended, of all and of each tenant.
CREATE INDEX jobs_ended ON jobs (finished_at, state) WHERE finished_at IS NOT NULL;
CREATE INDEX jobs_ended_by_tenant ON jobs (tenant_id, finished_at, state) WHERE finished_at IS NOT NULL;

-- How many pods are how.
CREATE INDEX cloudpods_counts ON cloudpods (tenant_id, state, observed_power) WHERE state <> 'deleted';

-- The regions that there are.
CREATE INDEX servers_by_region ON servers (region) WHERE deleted_at IS NULL;

-- Pods by name, whosever they are; a tenant's have an index of their names already.
CREATE INDEX cloudpods_live_by_name ON cloudpods (name, id) WHERE state <> 'deleted';

-- What took its place is above. Last, for nobody reads jobs while this is held.
DROP INDEX jobs_over;
