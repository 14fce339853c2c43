-- Moves of pods between hosts, and drains of hosts.

-- A move under way: what it holds of its target, beside what the pod's reservation holds of the source, and what was last
-- seen of the VM on either side. The totals in `servers` and `server_storages` are the sums of `holdings`.
CREATE TABLE moves (
    pod_id         UUID    PRIMARY KEY REFERENCES cloudpods (id),
    job_id         UUID    NOT NULL REFERENCES jobs (id),
    method         TEXT    NOT NULL CHECK (method IN ('live', 'offline', 'remote')),
    source_id      UUID    NOT NULL REFERENCES servers (id),
    source_vmid    BIGINT  NOT NULL,
    server_id      UUID    NOT NULL REFERENCES servers (id),
    -- Within a cluster the source's; otherwise NULL until one of the target's space is taken.
    vmid           BIGINT,
    storage        TEXT    NOT NULL,
    vcpu           BIGINT  NOT NULL,
    memory_mib     BIGINT  NOT NULL,
    -- 0 where the disk stays on a storage that both share.
    disk_gib       BIGINT  NOT NULL,
    -- Why there and not elsewhere; becomes the pod's placement once it is there.
    explanation    JSONB   NOT NULL,
    -- The VM ran when the move began.
    was_running    BOOLEAN NOT NULL DEFAULT FALSE,
    -- Its guest was asked to shut down for the move.
    shut_down      BOOLEAN NOT NULL DEFAULT FALSE,
    -- The move may have been ordered of the source's agent: from now on only a look at both sides tells where the VM is.
    ordered        BOOLEAN NOT NULL DEFAULT FALSE,
    -- The outcome of the last order is not known. 0: it is; otherwise nothing is ordered again before the target was looked at,
    -- which attempt `looked` of the step does.
    doubted        BOOLEAN NOT NULL DEFAULT FALSE,
    looked         BIGINT  NOT NULL DEFAULT 0,
    -- absent, or the power of the VM that is there; NULL: not looked yet.
    source_seen    TEXT    CHECK (source_seen IN ('absent', 'unknown', 'running', 'stopped', 'paused')),
    target_seen    TEXT    CHECK (target_seen IN ('absent', 'unknown', 'running', 'stopped', 'paused')),
    created_at     BIGINT  NOT NULL,
    CHECK (source_id <> server_id)
);
CREATE INDEX moves_by_server ON moves (server_id);
CREATE INDEX moves_by_source ON moves (source_id);

-- What pods hold of servers: where they are, and where they are on the way to.
CREATE VIEW holdings AS
    SELECT pod_id, server_id, storage, vcpu, memory_mib, disk_gib FROM reservations
    UNION ALL
    SELECT pod_id, server_id, storage, vcpu, memory_mib, disk_gib FROM moves;

-- A pod on its way to another cluster has a second VMID there, which becomes its only one once it has arrived.
ALTER TABLE vmids ADD COLUMN moving BOOLEAN NOT NULL DEFAULT FALSE;
DROP INDEX vmids_one_per_pod;
CREATE UNIQUE INDEX vmids_one_per_pod ON vmids (pod_id, moving) WHERE pod_id IS NOT NULL;

-- The Proxmox API of a host, for hosts of other clusters that send VMs there. The token is sealed.
CREATE TABLE migration_endpoints (
    server_id    UUID    PRIMARY KEY REFERENCES servers (id) ON DELETE CASCADE,
    host         TEXT    NOT NULL,
    port         BIGINT  NOT NULL CHECK (port BETWEEN 1 AND 65535),
    fingerprint  TEXT    NOT NULL,
    token        BYTEA   NOT NULL,
    updated_at   BIGINT  NOT NULL
);

-- Emptying a host, or bringing back what a drain took away.
CREATE TABLE drains (
    id              UUID    PRIMARY KEY,
    server_id       UUID    NOT NULL REFERENCES servers (id),
    kind            TEXT    NOT NULL CHECK (kind IN ('drain', 'fill_back')),
    state           TEXT    NOT NULL CHECK (state IN ('running', 'blocked', 'done', 'cancelled')),
    reason          TEXT    NOT NULL,
    deadline        BIGINT,
    -- Guests of VMs that cannot be moved while they run may be asked to shut down, and get so long for it.
    allow_shutdown  BOOLEAN NOT NULL,
    shutdown_s      BIGINT  NOT NULL,
    -- Why it is where it is, for people.
    note            TEXT    NOT NULL DEFAULT '',
    created_by      TEXT    NOT NULL,
    created_at      BIGINT  NOT NULL,
    updated_at      BIGINT  NOT NULL,
    finished_at     BIGINT,
    CHECK ((state IN ('done', 'cancelled')) = (finished_at IS NOT NULL))
);
-- One at a time per server, by any interleaving.
CREATE UNIQUE INDEX drains_open ON drains (server_id) WHERE state IN ('running', 'blocked');
CREATE INDEX drains_by_server ON drains (server_id, id);

-- What becomes of each pod. No row is deleted before its drain: the plan says where each pod went.
CREATE TABLE drain_pods (
    drain_id    UUID    NOT NULL REFERENCES drains (id) ON DELETE CASCADE,
    pod_id      UUID    NOT NULL REFERENCES cloudpods (id),
    state       TEXT    NOT NULL CHECK (state IN ('planned', 'moving', 'moved', 'gone', 'blocked', 'left')),
    method      TEXT    NOT NULL CHECK (method IN ('live', 'offline', 'remote', 'none')),
    target_id   UUID    REFERENCES servers (id),
    -- What has to be copied; NULL: not known.
    bytes       BIGINT,
    -- What keeps it here; empty: nothing.
    blocker     TEXT    NOT NULL DEFAULT '',
    job_id      UUID    REFERENCES jobs (id),
    attempts    BIGINT  NOT NULL DEFAULT 0,
    -- {"servers": [...]}: where moving it to has failed.
    avoid       JSONB   NOT NULL,
    error       TEXT    NOT NULL DEFAULT '',
    -- Not before.
    run_at      BIGINT  NOT NULL,
    updated_at  BIGINT  NOT NULL,
    PRIMARY KEY (drain_id, pod_id)
);
CREATE INDEX drain_pods_by_pod ON drain_pods (pod_id);
CREATE INDEX drain_pods_moving ON drain_pods (drain_id) WHERE state = 'moving';
