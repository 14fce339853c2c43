-- Tenants as accounts: their settings, how much they may use, whether they are suspended; and what the platform knows of them as
-- customers. What a tenant uses is counted from the books themselves: a counter beside them could drift.

ALTER TABLE tenants ADD COLUMN contact_email TEXT CHECK (length(contact_email) BETWEEN 3 AND 254);
-- Where pods go that name neither a region nor a server.
ALTER TABLE tenants ADD COLUMN default_region TEXT CHECK (length(default_region) BETWEEN 1 AND 63);
-- NULL: unlimited.
ALTER TABLE tenants ADD COLUMN quota_pods BIGINT CHECK (quota_pods >= 0);
ALTER TABLE tenants ADD COLUMN quota_vcpu BIGINT CHECK (quota_vcpu >= 0);
ALTER TABLE tenants ADD COLUMN quota_memory_mib BIGINT CHECK (quota_memory_mib >= 0);
ALTER TABLE tenants ADD COLUMN quota_disk_gib BIGINT CHECK (quota_disk_gib >= 0);
ALTER TABLE tenants ADD COLUMN quota_addresses BIGINT CHECK (quota_addresses >= 0);
ALTER TABLE tenants ADD COLUMN quota_snapshots BIGINT CHECK (quota_snapshots >= 0);
ALTER TABLE tenants ADD COLUMN quota_backups BIGINT CHECK (quota_backups >= 0);
-- Since when its people may only read, and why; NULL: they may do what their roles say.
ALTER TABLE tenants ADD COLUMN suspended_at BIGINT;
ALTER TABLE tenants ADD COLUMN suspend_reason TEXT NOT NULL DEFAULT '' CHECK (length(suspend_reason) <= 500);
ALTER TABLE tenants ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
-- NULL: not since it was made.
ALTER TABLE tenants ADD COLUMN updated_at BIGINT;
CREATE INDEX tenants_suspended ON tenants (id) WHERE suspended_at IS NOT NULL;

-- Whether its suspension is its tenant's: that one's reactivation gives it back, and no other pod. Set when the job is queued.
ALTER TABLE cloudpods ADD COLUMN suspended_with_tenant BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX cloudpods_suspended_with_tenant ON cloudpods (tenant_id, id) WHERE suspended_with_tenant;

-- Why the last backup that was due was not made, so that a reason that lasts is written down once; '': it was.
ALTER TABLE backup_policies ADD COLUMN skipped TEXT NOT NULL DEFAULT '';

-- What the platform knows of a tenant as its customer.
CREATE TABLE customers (
    tenant_id   UUID    PRIMARY KEY REFERENCES tenants (id),
    company     TEXT    NOT NULL CHECK (length(company) <= 200),
    -- As people search for it: in lower case.
    search      TEXT    NOT NULL,
    contact     TEXT    NOT NULL CHECK (length(contact) <= 200),
    phone       TEXT    NOT NULL CHECK (length(phone) <= 50),
    address     TEXT    NOT NULL CHECK (length(address) <= 500),
    -- ISO 3166-1 alpha-2; '': not known.
    country     TEXT    NOT NULL CHECK (length(country) IN (0, 2)),
    tax_number  TEXT    NOT NULL CHECK (length(tax_number) <= 50),
    note        TEXT    NOT NULL CHECK (length(note) <= 2000),
    version     BIGINT  NOT NULL,
    created_at  BIGINT  NOT NULL,
    updated_at  BIGINT  NOT NULL
);

-- What a tenant has ordered. Amounts are in minor units of the currency (ISO 4217).
CREATE TABLE subscriptions (
    id                    UUID    PRIMARY KEY,
    tenant_id             UUID    NOT NULL REFERENCES tenants (id),
    plan_id               UUID    REFERENCES plans (id),
    pod_id                UUID    REFERENCES cloudpods (id),
    status                TEXT    NOT NULL CHECK (status IN ('trialing', 'active', 'past_due', 'suspended', 'cancelled')),
    price_minor           BIGINT  NOT NULL CHECK (price_minor >= 0),
    currency              TEXT    NOT NULL CHECK (length(currency) = 3),
    interval_months       BIGINT  NOT NULL CHECK (interval_months BETWEEN 1 AND 60),
    current_period_end    BIGINT,
    created_at            BIGINT  NOT NULL,
    updated_at            BIGINT  NOT NULL,
    cancelled_at          BIGINT,
    CHECK ((status = 'cancelled') = (cancelled_at IS NOT NULL))
);
CREATE INDEX subscriptions_by_tenant ON subscriptions (tenant_id, id);

CREATE TABLE orders (
    id               UUID    PRIMARY KEY,
    tenant_id        UUID    NOT NULL REFERENCES tenants (id),
    subscription_id  UUID    REFERENCES subscriptions (id),
    status           TEXT    NOT NULL CHECK (status IN ('open', 'paid', 'refunded', 'cancelled')),
    amount_minor     BIGINT  NOT NULL CHECK (amount_minor >= 0),
    currency         TEXT    NOT NULL CHECK (length(currency) = 3),
    description      TEXT    NOT NULL CHECK (length(description) <= 200),
    -- Open after this it is overdue.
    due_at           BIGINT  NOT NULL,
    paid_at          BIGINT,
    created_at       BIGINT  NOT NULL,
    CHECK ((status IN ('paid', 'refunded')) = (paid_at IS NOT NULL))
);
CREATE INDEX orders_by_tenant ON orders (tenant_id, id);
-- Revenue: a tenant's, and as a whole.
CREATE INDEX orders_paid ON orders (tenant_id, currency, amount_minor) WHERE status = 'paid';
CREATE INDEX orders_open ON orders (tenant_id, due_at) WHERE status = 'open';
