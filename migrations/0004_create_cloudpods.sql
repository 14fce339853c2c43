-- Customers' VMs, and what each holds: capacity, addresses, a VMID. What a pod holds is freed only once its VM is known
-- to be absent.

CREATE TABLE cloudpods (
    id                 UUID    PRIMARY KEY,
    tenant_id          UUID    NOT NULL REFERENCES tenants (id),
    name               TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 63),
    state              TEXT    NOT NULL CHECK (state IN
                           ('requested', 'provisioning', 'active', 'suspended', 'deleting', 'deleted', 'failed')),
    desired_power      TEXT    NOT NULL CHECK (desired_power IN ('running', 'stopped')),
    observed_power     TEXT    NOT NULL CHECK (observed_power IN ('running', 'stopped', 'paused', 'unknown')),
    observed_at        BIGINT,
    plan_id            UUID    NOT NULL REFERENCES plans (id),
    image_id           UUID    NOT NULL REFERENCES images (id),
    -- The size is the pod's own from its creation on: a later change of the plan does not reach into it.
    vcpu               BIGINT  NOT NULL CHECK (vcpu > 0),
    memory_mib         BIGINT  NOT NULL CHECK (memory_mib > 0),
    disk_gib           BIGINT  NOT NULL CHECK (disk_gib > 0),
    -- {"region":…, "server":…, "storage":…, "labels":{…}, "anti_affinity":bool, "pools":[…]}
    placement          JSONB   NOT NULL,
    -- {"keys": ["ssh-ed25519 …"]}
    ssh_keys           JSONB   NOT NULL,
    cloud_init_user    TEXT    NOT NULL,
    server_id          UUID    REFERENCES servers (id),
    storage            TEXT,
    vmid               BIGINT,
    template_vmid      BIGINT,
    failure            TEXT    NOT NULL DEFAULT '',
    version            BIGINT  NOT NULL,
    created_at         BIGINT  NOT NULL,
    updated_at         BIGINT  NOT NULL,
    deleted_at         BIGINT,
    CHECK ((state = 'deleted') = (deleted_at IS NOT NULL)),
    CHECK (vmid IS NULL OR server_id IS NOT NULL)
);
-- Lists show what is not deleted, the newest first: from these, however many deleted ones there are.
CREATE INDEX cloudpods_live ON cloudpods (id) WHERE state <> 'deleted';
CREATE INDEX cloudpods_live_by_tenant ON cloudpods (tenant_id, id) WHERE state <> 'deleted';
CREATE INDEX cloudpods_by_tenant ON cloudpods (tenant_id, state, id);
CREATE INDEX cloudpods_by_state ON cloudpods (state, id);
CREATE INDEX cloudpods_by_server ON cloudpods (server_id, id) WHERE server_id IS NOT NULL;
-- A tenant's live pods have names of their own.
CREATE UNIQUE INDEX cloudpods_live_name ON cloudpods (tenant_id, name) WHERE state <> 'deleted';

-- Why it was placed here and not there: written with the reservation.
CREATE TABLE placements (
    pod_id       UUID    NOT NULL REFERENCES cloudpods (id),
    decided_at   BIGINT  NOT NULL,
    server_id    UUID,
    explanation  JSONB   NOT NULL,
    PRIMARY KEY (pod_id, decided_at)
);

-- What a pod holds of a server. The totals in `servers` and `server_storages` are the sums of these rows.
CREATE TABLE reservations (
    pod_id      UUID    PRIMARY KEY REFERENCES cloudpods (id),
    server_id   UUID    NOT NULL REFERENCES servers (id),
    storage     TEXT    NOT NULL,
    vcpu        BIGINT  NOT NULL,
    memory_mib  BIGINT  NOT NULL,
    disk_gib    BIGINT  NOT NULL,
    created_at  BIGINT  NOT NULL
);
CREATE INDEX reservations_by_server ON reservations (server_id);

CREATE TABLE ip_addresses (
    pool_id       UUID    NOT NULL REFERENCES ip_pools (id),
    slot          BIGINT  NOT NULL CHECK (slot >= 0),
    address       TEXT    NOT NULL,
    pod_id        UUID    NOT NULL REFERENCES cloudpods (id),
    allocated_at  BIGINT  NOT NULL,
    PRIMARY KEY (pool_id, slot)
);
CREATE UNIQUE INDEX ip_addresses_address ON ip_addresses (address);
CREATE UNIQUE INDEX ip_addresses_one_per_pool ON ip_addresses (pod_id, pool_id);

-- VMIDs that are ours or that somebody else was found to have. `space`: the Proxmox cluster's name, or the server's id.
CREATE TABLE vmids (
    space       TEXT    NOT NULL,
    vmid        BIGINT  NOT NULL,
    -- On whose host the VM is, or was to be.
    server_id   UUID    NOT NULL REFERENCES servers (id),
    -- NULL: found in use by a VM that is not ours, so never to be given out.
    pod_id      UUID    REFERENCES cloudpods (id),
    taken_at    BIGINT  NOT NULL,
    PRIMARY KEY (space, vmid)
);
CREATE UNIQUE INDEX vmids_one_per_pod ON vmids (pod_id) WHERE pod_id IS NOT NULL;
CREATE INDEX vmids_by_server ON vmids (server_id);
