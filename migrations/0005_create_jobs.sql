-- Jobs: what is to be done, how far it is, who works on it. See the module `domain::jobs` for the diagram of the states.

CREATE TABLE jobs (
    id                UUID    PRIMARY KEY,
    tenant_id         UUID    REFERENCES tenants (id),
    kind              TEXT    NOT NULL,
    pod_id            UUID    REFERENCES cloudpods (id),
    server_id         UUID    REFERENCES servers (id),
    state             TEXT    NOT NULL CHECK (state IN
                          ('queued', 'running', 'undoing', 'succeeded', 'failed', 'cancelled', 'stuck')),
    params            JSONB   NOT NULL,
    -- The step that is next or under way; counts down while undoing.
    step              BIGINT  NOT NULL,
    step_count        BIGINT  NOT NULL,
    attempt           BIGINT  NOT NULL,
    attempts_max      BIGINT  NOT NULL,
    run_at            BIGINT  NOT NULL,
    -- Raised by every claim and every send: a result or a write of an older epoch counts for nothing.
    epoch             BIGINT  NOT NULL,
    lease_owner       UUID,
    lease_until       BIGINT,
    -- The order that is out at an agent.
    command_id        UUID,
    command_server    UUID    REFERENCES servers (id),
    command_deadline  BIGINT,
    -- The server whose agent has to come back before this can go on.
    waits_for         UUID    REFERENCES servers (id),
    cancel_requested  BOOLEAN NOT NULL,
    -- 0..100 of the present step.
    step_progress     BIGINT  NOT NULL,
    error_code        TEXT,
    error_detail      TEXT,
    created_by        TEXT    NOT NULL,
    created_at        BIGINT  NOT NULL,
    started_at        BIGINT,
    finished_at       BIGINT,
    updated_at        BIGINT  NOT NULL,
    CHECK ((state IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
    CHECK ((command_id IS NULL) = (command_server IS NULL)),
    CHECK ((lease_owner IS NULL) = (lease_until IS NULL))
);
-- The few live jobs, so that history costs nothing.
CREATE INDEX jobs_due ON jobs (run_at, id) WHERE state IN ('queued', 'running', 'undoing');
CREATE INDEX jobs_live_by_pod ON jobs (pod_id, id) WHERE state IN ('queued', 'running', 'undoing');
CREATE INDEX jobs_live_by_server ON jobs (command_server) WHERE command_server IS NOT NULL;
CREATE INDEX jobs_waiting ON jobs (waits_for) WHERE waits_for IS NOT NULL;
-- How much of each tenant is being worked on: what the claim counts.
CREATE INDEX jobs_busy_by_tenant ON jobs (tenant_id) WHERE lease_owner IS NOT NULL;
-- What is not over, by state: for lists and counts.
CREATE INDEX jobs_open_by_state ON jobs (state, id) WHERE state IN ('queued', 'running', 'undoing', 'stuck');
CREATE UNIQUE INDEX jobs_by_command ON jobs (command_id) WHERE command_id IS NOT NULL;
-- One mutating job per pod at a time, by any interleaving.
CREATE UNIQUE INDEX jobs_one_per_pod ON jobs (pod_id) WHERE state IN ('running', 'undoing');
CREATE INDEX jobs_by_tenant ON jobs (tenant_id, id);
CREATE INDEX jobs_by_pod ON jobs (pod_id, id);

CREATE TABLE job_steps (
    job_id       UUID    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    idx          BIGINT  NOT NULL,
    name         TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('pending', 'running', 'done', 'failed', 'undoing', 'undone')),
    attempt      BIGINT  NOT NULL,
    started_at   BIGINT,
    finished_at  BIGINT,
    detail       TEXT    NOT NULL,
    PRIMARY KEY (job_id, idx)
);

-- What each attempt of each step said: our own lines and those of Proxmox's task log.
CREATE TABLE job_log (
    id       UUID    PRIMARY KEY,
    job_id   UUID    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    step     TEXT    NOT NULL,
    attempt  BIGINT  NOT NULL,
    level    TEXT    NOT NULL CHECK (level IN ('info', 'warn', 'error')),
    line     TEXT    NOT NULL,
    at       BIGINT  NOT NULL
);
CREATE INDEX job_log_by_job ON job_log (job_id, id);
