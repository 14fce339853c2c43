-- Network cards and firewalls that were changed by hand are drift.

-- What a host tells of a VM of ours: {"cards": [...]}, and the options of its firewall. NULL: it does not tell.
ALTER TABLE server_vms ADD COLUMN cards JSONB;
ALTER TABLE server_vms ADD COLUMN firewall JSONB;

-- The network cards that a pod's VM was given, {"cards": [...]}. NULL: it was given none since these are kept, or it was adopted.
ALTER TABLE cloudpods ADD COLUMN cards JSONB;

-- only postgres
ALTER TABLE drifts DROP CONSTRAINT drifts_kind_check;
ALTER TABLE drifts ADD CONSTRAINT drifts_kind_check CHECK (kind IN
    ('vm_missing', 'power', 'size', 'moved', 'renamed', 'locked', 'duplicate', 'orphan', 'autostart', 'network', 'firewall'));
-- end only

-- only sqlite
CREATE TABLE drifts_new (
    id          UUID    PRIMARY KEY,
    kind        TEXT    NOT NULL CHECK (kind IN
                    ('vm_missing', 'power', 'size', 'moved', 'renamed', 'locked', 'duplicate', 'orphan', 'autostart', 'network',
                     'firewall')),
    pod_id      UUID    NOT NULL,
    server_id   UUID    NOT NULL REFERENCES servers (id),
    vmid        BIGINT  NOT NULL,
    expected    JSONB   NOT NULL,
    seen        JSONB   NOT NULL,
    since       BIGINT  NOT NULL,
    last_seen   BIGINT  NOT NULL,
    closed_at   BIGINT,
    heal_tries  BIGINT  NOT NULL DEFAULT 0,
    healed_at   BIGINT,
    heal_job    UUID    REFERENCES jobs (id)
);
INSERT INTO drifts_new
SELECT id, kind, pod_id, server_id, vmid, expected, seen, since, last_seen, closed_at, heal_tries, healed_at, heal_job FROM drifts;
DROP TABLE drifts;
ALTER TABLE drifts_new RENAME TO drifts;
CREATE UNIQUE INDEX drifts_open ON drifts (server_id, kind, pod_id, vmid) WHERE closed_at IS NULL;
CREATE INDEX drifts_open_by_pod ON drifts (pod_id) WHERE closed_at IS NULL;
CREATE INDEX drifts_closed ON drifts (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX drifts_by_job ON drifts (heal_job) WHERE heal_job IS NOT NULL;
-- end only
