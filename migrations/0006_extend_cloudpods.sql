-- What is done to a pod beside its power: suspension, media, rescue, rebuilding; its firewall; its traffic by month.

ALTER TABLE cloudpods ADD COLUMN suspend_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE cloudpods ADD COLUMN suspended_at BIGINT;
-- What was wanted of its power before its suspension, and is wanted again after it.
ALTER TABLE cloudpods ADD COLUMN power_before TEXT CHECK (power_before IN ('running', 'stopped'));
-- What was changed takes effect only once the VM is stopped and started. Until then its reservation holds both sizes.
ALTER TABLE cloudpods ADD COLUMN restart_needed BOOLEAN NOT NULL DEFAULT FALSE;
-- The CD in its drive, and whether it is booted from; '': none.
ALTER TABLE cloudpods ADD COLUMN media_iso TEXT NOT NULL DEFAULT '';
ALTER TABLE cloudpods ADD COLUMN media_first BOOLEAN NOT NULL DEFAULT FALSE;
-- The CD that it is rescued with; '': it is not.
ALTER TABLE cloudpods ADD COLUMN rescue_iso TEXT NOT NULL DEFAULT '';
-- Its VM was removed, or may have been, for a rebuild that has not succeeded yet. What it holds stays held.
ALTER TABLE cloudpods ADD COLUMN rebuilding BOOLEAN NOT NULL DEFAULT FALSE;

-- What is wanted of a pod's firewall, as a whole, and which version of it was last brought to its host.
CREATE TABLE firewalls (
    pod_id           UUID    PRIMARY KEY REFERENCES cloudpods (id),
    -- {"enabled":bool, "policy_in":…, "policy_out":…, "mac_filter":bool, "ip_filter":bool, "rules":[…]}
    policy           JSONB   NOT NULL,
    version          BIGINT  NOT NULL CHECK (version > 0),
    sent_version     BIGINT  NOT NULL,
    applied_version  BIGINT  NOT NULL,
    applied_at       BIGINT,
    updated_at       BIGINT  NOT NULL
);

-- What a pod's VM received and sent in each month (UTC). The counters are those of its present run when it was last heard of:
-- what they grew by is what is added.
CREATE TABLE traffic (
    pod_id           UUID    NOT NULL REFERENCES cloudpods (id),
    -- 202601 is January 2026.
    month            BIGINT  NOT NULL CHECK (month BETWEEN 197001 AND 999912),
    in_bytes         BIGINT  NOT NULL CHECK (in_bytes >= 0),
    out_bytes        BIGINT  NOT NULL CHECK (out_bytes >= 0),
    last_in_bytes    BIGINT  NOT NULL,
    last_out_bytes   BIGINT  NOT NULL,
    last_uptime_s    BIGINT  NOT NULL,
    sampled_at       BIGINT  NOT NULL,
    PRIMARY KEY (pod_id, month)
);
CREATE INDEX traffic_by_month ON traffic (month);
