-- Registered Proxmox VE hosts, their storages, what runs on them, and the identity of their agents.

CREATE TABLE servers (
    id                   UUID    PRIMARY KEY,
    name                 TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 63),
    region               TEXT    NOT NULL,
    labels               JSONB   NOT NULL,
    bridge               TEXT    NOT NULL,
    -- VMIDs are one space per Proxmox cluster: its name or, outside a cluster, this server's id. A server takes its own
    -- from this range of the space.
    vmid_space           TEXT    NOT NULL,
    vmid_min             BIGINT  NOT NULL,
    vmid_max             BIGINT  NOT NULL,
    -- Operator's limits; NULL: what the agent reports.
    cpu_threads          BIGINT  CHECK (cpu_threads > 0),
    cpu_overcommit       DOUBLE PRECISION NOT NULL CHECK (cpu_overcommit > 0),
    memory_mib           BIGINT  CHECK (memory_mib > 0),
    pod_limit            BIGINT  CHECK (pod_limit >= 0),
    -- Held by reservations. Changed only together with a row of `reservations`.
    reserved_vcpu        BIGINT  NOT NULL DEFAULT 0 CHECK (reserved_vcpu >= 0),
    reserved_memory_mib  BIGINT  NOT NULL DEFAULT 0 CHECK (reserved_memory_mib >= 0),
    reserved_pods        BIGINT  NOT NULL DEFAULT 0 CHECK (reserved_pods >= 0),
    -- What the operator wants of it.
    scheduling           TEXT    NOT NULL CHECK (scheduling IN ('online', 'locked', 'draining')),
    scheduling_reason    TEXT    NOT NULL DEFAULT '',
    scheduling_since     BIGINT  NOT NULL,
    drain_deadline       BIGINT,
    -- What is known of it.
    connection           TEXT    NOT NULL CHECK (connection IN ('pending', 'online', 'offline')),
    connection_since     BIGINT  NOT NULL,
    last_seen_at         BIGINT,
    session_epoch        BIGINT  NOT NULL DEFAULT 0,
    session_owner        UUID,
    boot_id              TEXT,
    machine_id           TEXT,
    agent_version        TEXT,
    pve_version          TEXT,
    node_name            TEXT,
    cluster_name         TEXT,
    seen_cpu_threads     BIGINT,
    seen_memory_mib      BIGINT,
    seen_bridges         JSONB,
    inventory_at         BIGINT,
    -- What is wrong, for people: as the last heartbeat told, and whether two hosts share this identity.
    problem              TEXT    NOT NULL DEFAULT '',
    machine_problem      TEXT    NOT NULL DEFAULT '',
    version              BIGINT  NOT NULL,
    created_at           BIGINT  NOT NULL,
    updated_at           BIGINT  NOT NULL,
    -- The row stays for the history that refers to it; to callers a deleted server is gone.
    deleted_at           BIGINT,
    CHECK (100 <= vmid_min AND vmid_min <= vmid_max AND vmid_max <= 999999999)
);
CREATE UNIQUE INDEX servers_live_name ON servers (name) WHERE deleted_at IS NULL;
CREATE INDEX servers_by_space ON servers (vmid_space) WHERE deleted_at IS NULL;
CREATE INDEX servers_online ON servers (last_seen_at) WHERE connection = 'online';

CREATE TABLE server_storages (
    server_id       UUID    NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
    name            TEXT    NOT NULL,
    -- Whether pods may be placed on it; what the agent merely reports is not offered.
    offered         BOOLEAN NOT NULL,
    disk_gib        BIGINT  CHECK (disk_gib > 0),
    seen_total_gib  BIGINT,
    seen_used_gib   BIGINT,
    active          BOOLEAN NOT NULL DEFAULT FALSE,
    shared          BOOLEAN NOT NULL DEFAULT FALSE,
    kind            TEXT    NOT NULL DEFAULT '',
    reserved_gib    BIGINT  NOT NULL DEFAULT 0 CHECK (reserved_gib >= 0),
    PRIMARY KEY (server_id, name)
);

-- The last inventory: every VM on the host, ours or not, templates included.
CREATE TABLE server_vms (
    server_id    UUID    NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
    vmid         BIGINT  NOT NULL,
    name         TEXT    NOT NULL,
    power        TEXT    NOT NULL CHECK (power IN ('running', 'stopped', 'paused', 'unknown')),
    template     BOOLEAN NOT NULL,
    pod_id       UUID,
    command_id   UUID,
    lock         TEXT    NOT NULL,
    vcpu         BIGINT  NOT NULL,
    memory_mib   BIGINT  NOT NULL,
    disk_mib     BIGINT  NOT NULL,
    observed_at  BIGINT  NOT NULL,
    PRIMARY KEY (server_id, vmid)
);
CREATE INDEX server_vms_by_pod ON server_vms (pod_id) WHERE pod_id IS NOT NULL;
CREATE INDEX server_vms_templates ON server_vms (server_id, vmid) WHERE template;

-- Samples, thinned to at most one in 30 s.
CREATE TABLE server_health (
    server_id        UUID    NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
    at               BIGINT  NOT NULL,
    cpu_load         DOUBLE PRECISION NOT NULL,
    memory_used_mib  BIGINT  NOT NULL,
    memory_total_mib BIGINT  NOT NULL,
    storage_used_gib BIGINT  NOT NULL,
    storage_total_gib BIGINT NOT NULL,
    PRIMARY KEY (server_id, at)
);
CREATE INDEX server_health_by_age ON server_health (at);

-- One-time join tokens: only the hash of the secret, one server, one hour, one use.
CREATE TABLE enrolment_tokens (
    id           UUID    PRIMARY KEY,
    server_id    UUID    NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
    secret_hash  BYTEA   NOT NULL,
    created_at   BIGINT  NOT NULL,
    expires_at   BIGINT  NOT NULL,
    used_at      BIGINT
);
CREATE INDEX enrolment_tokens_by_server ON enrolment_tokens (server_id);

CREATE TABLE agent_certificates (
    serial      TEXT    PRIMARY KEY,
    server_id   UUID    NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
    issued_at   BIGINT  NOT NULL,
    not_after   BIGINT  NOT NULL,
    revoked_at  BIGINT
);
CREATE INDEX agent_certificates_by_server ON agent_certificates (server_id, issued_at);
