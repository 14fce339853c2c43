-- What is kept of pods beside their VMs: snapshots, backups, images made of them; and the consoles that were opened.

-- What Proxmox has is learned after each command about a VM's snapshots; a row that is `creating` or `deleting` belongs to a job.
-- They go with the VM.
CREATE TABLE snapshots (
    pod_id       UUID    NOT NULL REFERENCES cloudpods (id),
    name         TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 40),
    description  TEXT    NOT NULL,
    -- With the guest's memory.
    memory       BOOLEAN NOT NULL,
    -- The one before it.
    parent       TEXT,
    state        TEXT    NOT NULL CHECK (state IN ('creating', 'ready', 'deleting')),
    created_at   BIGINT  NOT NULL,
    PRIMARY KEY (pod_id, name)
);

-- The storage that backups of a server's pods go to when a request names none.
ALTER TABLE servers ADD COLUMN backup_storage TEXT;

-- Backups outlive their pod: they are the tenant's, and are named by it.
CREATE TABLE backups (
    id          UUID    PRIMARY KEY,
    tenant_id   UUID    NOT NULL REFERENCES tenants (id),
    pod_id      UUID    NOT NULL REFERENCES cloudpods (id),
    -- Whose agent made it. On a shared storage other servers' agents see it too.
    server_id   UUID    NOT NULL REFERENCES servers (id),
    storage     TEXT    NOT NULL,
    vmid        BIGINT  NOT NULL,
    volid       TEXT,
    size_bytes  BIGINT  CHECK (size_bytes >= 0),
    mode        TEXT    NOT NULL CHECK (mode IN ('snapshot', 'suspend', 'stop')),
    note        TEXT    NOT NULL,
    -- Made by the pod's schedule.
    scheduled   BOOLEAN NOT NULL,
    -- Never pruned, and not deleted before somebody takes this away.
    protected   BOOLEAN NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('creating', 'ready', 'deleting')),
    -- Pruned after this, and not before; NULL: as the pod's policy says.
    kept_until  BIGINT,
    -- Its pruning failed: not again before this.
    prune_at    BIGINT,
    created_at  BIGINT  NOT NULL,
    -- By the host's clock.
    made_at     BIGINT,
    CHECK (state = 'creating' OR volid IS NOT NULL)
);
CREATE INDEX backups_by_tenant ON backups (tenant_id, id);
CREATE INDEX backups_by_pod ON backups (pod_id, id);
CREATE UNIQUE INDEX backups_volume ON backups (pod_id, volid) WHERE volid IS NOT NULL;

-- When backups of a pod are made by themselves, and how long they are kept.
CREATE TABLE backup_policies (
    pod_id       UUID    PRIMARY KEY REFERENCES cloudpods (id),
    -- NULL: none are made by themselves.
    every_hours  BIGINT  CHECK (every_hours BETWEEN 1 AND 8784),
    -- NULL: the server's.
    storage      TEXT,
    mode         TEXT    NOT NULL CHECK (mode IN ('snapshot', 'suspend', 'stop')),
    keep_last    BIGINT  CHECK (keep_last BETWEEN 1 AND 1000),
    keep_days    BIGINT  CHECK (keep_days BETWEEN 1 AND 36500),
    -- When the next one is due.
    next_at      BIGINT,
    version      BIGINT  NOT NULL,
    updated_at   BIGINT  NOT NULL,
    CHECK ((every_hours IS NULL) = (next_at IS NULL))
);
CREATE INDEX backup_policies_due ON backup_policies (next_at) WHERE next_at IS NOT NULL;

-- An image that a tenant made of a pod is that tenant's alone; the platform's are everybody's.
ALTER TABLE images ADD COLUMN tenant_id UUID REFERENCES tenants (id);
DROP INDEX images_live_name;
CREATE UNIQUE INDEX images_live_name ON images (name) WHERE deleted_at IS NULL AND tenant_id IS NULL;
CREATE UNIQUE INDEX images_live_name_of_tenant ON images (tenant_id, name) WHERE deleted_at IS NULL AND tenant_id IS NOT NULL;

-- The template VM that was made for an image, and bears the image's id as its stamp.
CREATE TABLE image_vms (
    image_id     UUID    PRIMARY KEY REFERENCES images (id),
    -- Of which pod.
    pod_id       UUID    NOT NULL REFERENCES cloudpods (id),
    server_id    UUID    NOT NULL REFERENCES servers (id),
    vmid         BIGINT  NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('creating', 'ready', 'deleting')),
    created_at   BIGINT  NOT NULL
);
CREATE UNIQUE INDEX image_vms_vm ON image_vms (server_id, vmid);

-- Each console that was asked for. Its ticket opens it once, within seconds.
CREATE TABLE consoles (
    id           UUID    PRIMARY KEY,
    tenant_id    UUID    NOT NULL REFERENCES tenants (id),
    pod_id       UUID    NOT NULL REFERENCES cloudpods (id),
    server_id    UUID    NOT NULL REFERENCES servers (id),
    vmid         BIGINT  NOT NULL,
    kind         TEXT    NOT NULL CHECK (kind IN ('vnc', 'terminal')),
    -- SHA-256 of the ticket.
    ticket_hash  BYTEA   NOT NULL,
    asked_by     TEXT    NOT NULL,
    created_at   BIGINT  NOT NULL,
    expires_at   BIGINT  NOT NULL,
    -- The ticket was redeemed, and counts no more.
    redeemed_at  BIGINT,
    closed_at    BIGINT,
    closed_why   TEXT
);
CREATE INDEX consoles_open ON consoles (server_id, redeemed_at) WHERE redeemed_at IS NOT NULL AND closed_at IS NULL;
CREATE INDEX consoles_by_pod ON consoles (pod_id, id);
