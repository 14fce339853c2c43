-- Webhooks: where events are sent (Standard Webhooks), and what became of it.

CREATE TABLE webhooks (
    id               UUID     PRIMARY KEY,
    tenant_id        UUID     REFERENCES tenants (id),
    name             TEXT     NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    url              TEXT     NOT NULL,
    -- {"names": [...]}; none: all that the owner may see.
    event_names      JSONB    NOT NULL,
    active           BOOLEAN  NOT NULL,
    -- Why it was made inactive, where nobody asked for it.
    disabled_reason  TEXT     CHECK (disabled_reason IS NULL OR NOT active),
    -- Since when each try has failed.
    failing_since    BIGINT,
    version          BIGINT   NOT NULL,
    created_at       BIGINT   NOT NULL,
    updated_at       BIGINT   NOT NULL
);
CREATE INDEX webhooks_by_tenant ON webhooks (tenant_id, id);

-- What deliveries are signed with: all that have not expired, so that receivers can change over.
CREATE TABLE webhook_secrets (
    id          UUID    PRIMARY KEY,
    webhook_id  UUID    NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    -- Under the envelope key.
    sealed      BYTEA   NOT NULL,
    created_at  BIGINT  NOT NULL,
    expires_at  BIGINT
);
CREATE INDEX webhook_secrets_by_webhook ON webhook_secrets (webhook_id);

-- One message to one receiver. Whoever has a lease sends it; a lease that lapsed is anybody's.
CREATE TABLE webhook_deliveries (
    id           UUID    PRIMARY KEY,
    webhook_id   UUID    NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    -- The header webhook-id: the same for every try of the same message.
    message_id   TEXT    NOT NULL,
    event_name   TEXT    NOT NULL,
    -- What is signed and sent, byte for byte.
    body         TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    attempt      BIGINT  NOT NULL,
    run_at       BIGINT  NOT NULL,
    lease_until  BIGINT,
    created_at   BIGINT  NOT NULL,
    finished_at  BIGINT,
    CHECK ((state = 'pending') = (finished_at IS NULL))
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (run_at) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (webhook_id, id);
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (created_at);

-- Each try and what came of it.
CREATE TABLE webhook_attempts (
    delivery_id  UUID    NOT NULL REFERENCES webhook_deliveries (id) ON DELETE CASCADE,
    attempt      BIGINT  NOT NULL,
    at           BIGINT  NOT NULL,
    took_ms      BIGINT  NOT NULL,
    status       BIGINT,
    -- Why it failed; NULL: it was taken.
    error        TEXT,
    -- How the receiver's answer begins.
    answer       TEXT    NOT NULL,
    PRIMARY KEY (delivery_id, attempt)
);

-- Up to which event deliveries were made.
CREATE TABLE webhook_head (
    id   BIGINT  PRIMARY KEY CHECK (id = 1),
    seq  BIGINT  NOT NULL
);
