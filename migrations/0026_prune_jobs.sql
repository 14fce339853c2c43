-- Jobs that ended long ago are deleted with their steps and logs, but those that a drain or a drift still names.
CREATE INDEX jobs_over ON jobs (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX drain_pods_by_job ON drain_pods (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX drifts_by_job ON drifts (heal_job) WHERE heal_job IS NOT NULL;
CREATE INDEX moves_by_job ON moves (job_id);
