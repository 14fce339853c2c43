-- What hosts show against what is wanted, and hosts that were declared lost.

-- The name that a pod's VM is known to have on its host; NULL: not seen yet.
ALTER TABLE cloudpods ADD COLUMN vm_name TEXT;

-- A difference between the inventory of a host and the books. Opened and closed in the transaction that stores an inventory.
CREATE TABLE drifts (
    id          UUID    PRIMARY KEY,
    kind        TEXT    NOT NULL CHECK (kind IN
                    ('vm_missing', 'power', 'size', 'moved', 'renamed', 'locked', 'duplicate', 'orphan', 'autostart')),
    -- As the VM's stamp says. No reference: the pod of an orphan's stamp may never have been.
    pod_id      UUID    NOT NULL,
    server_id   UUID    NOT NULL REFERENCES servers (id),
    vmid        BIGINT  NOT NULL,
    expected    JSONB   NOT NULL,
    seen        JSONB   NOT NULL,
    since       BIGINT  NOT NULL,
    last_seen   BIGINT  NOT NULL,
    closed_at   BIGINT,
    -- What was tried by itself.
    heal_tries  BIGINT  NOT NULL DEFAULT 0,
    healed_at   BIGINT,
    heal_job    UUID    REFERENCES jobs (id)
);
CREATE UNIQUE INDEX drifts_open ON drifts (server_id, kind, pod_id, vmid) WHERE closed_at IS NULL;
CREATE INDEX drifts_open_by_pod ON drifts (pod_id) WHERE closed_at IS NULL;
CREATE INDEX drifts_closed ON drifts (closed_at) WHERE closed_at IS NOT NULL;

-- Raised by each declaration that a host is lost; what runs there of an older generation is stale.
ALTER TABLE servers ADD COLUMN generation BIGINT NOT NULL DEFAULT 0;
-- NULL: not declared lost, or back and fenced.
ALTER TABLE servers ADD COLUMN lost_at BIGINT;
ALTER TABLE servers ADD COLUMN lost_reason TEXT NOT NULL DEFAULT '';
-- Why its agent is not given orders though it is there.
ALTER TABLE servers ADD COLUMN fence_problem TEXT NOT NULL DEFAULT '';

-- VMs that were declared lost with their host: stopped before anything else when it returns, and their VMIDs given to nobody
-- until they are seen to be gone.
CREATE TABLE fences (
    server_id    UUID    NOT NULL REFERENCES servers (id),
    pod_id       UUID    NOT NULL REFERENCES cloudpods (id),
    vmid         BIGINT  NOT NULL,
    generation   BIGINT  NOT NULL,
    declared_at  BIGINT  NOT NULL,
    -- The agent has said that it is stopped or absent.
    fenced_at    BIGINT,
    error        TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (server_id, pod_id, vmid)
);
CREATE INDEX fences_by_pod ON fences (pod_id);
