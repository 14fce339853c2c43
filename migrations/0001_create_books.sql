-- The books that every other table leans on: tenants, API tokens, audit, outbox, idempotency, sealed secrets.
-- Types are those that SQLite and PostgreSQL both accept; times are milliseconds since the epoch; JSONB holds objects only.

CREATE TABLE tenants (
    id          UUID    PRIMARY KEY,
    name        TEXT    NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 100),
    created_at  BIGINT  NOT NULL
);

-- Bearer tokens. The secret itself is never stored.
CREATE TABLE api_tokens (
    id            UUID    PRIMARY KEY,
    name          TEXT    NOT NULL,
    secret_hash   BYTEA   NOT NULL,
    created_at    BIGINT  NOT NULL,
    revoked_at    BIGINT
);
-- One of a name, so that two control planes that start at once make one.
CREATE UNIQUE INDEX api_tokens_active ON api_tokens (name) WHERE revoked_at IS NULL;

-- Who did what to which. Append-only.
CREATE TABLE audit_records (
    id           UUID    PRIMARY KEY,
    tenant_id    UUID    REFERENCES tenants (id),
    actor        TEXT    NOT NULL,
    action       TEXT    NOT NULL,
    target_kind  TEXT    NOT NULL,
    target_id    TEXT    NOT NULL,
    detail       JSONB   NOT NULL,
    created_at   BIGINT  NOT NULL
);
CREATE INDEX audit_records_by_target ON audit_records (target_kind, target_id, id);

-- The outbox: what happened, in the order of its ids.
CREATE TABLE events (
    id          UUID    PRIMARY KEY,
    tenant_id   UUID    REFERENCES tenants (id),
    name        TEXT    NOT NULL,
    subject     TEXT    NOT NULL,
    data        JSONB   NOT NULL,
    created_at  BIGINT  NOT NULL
);

-- The first answer to each Idempotency-Key, so that a repeated request has one effect. The transaction that has the effect
-- sets committed_at and target_*, under the present claim_id only; `status` is NULL until the answer is known. A claim whose
-- lease is over and that had no effect may be replaced.
CREATE TABLE idempotency_keys (
    actor         TEXT    NOT NULL,
    key           TEXT    NOT NULL,
    request_hash  BYTEA   NOT NULL,
    claim_id      UUID    NOT NULL,
    owner         UUID    NOT NULL,
    lease_until   BIGINT  NOT NULL,
    committed_at  BIGINT,
    target_kind   TEXT,
    target_id     TEXT,
    status        BIGINT,
    headers       JSONB,
    -- Sealed under the caller's own token and key: answers hold what is shown once.
    body          BYTEA,
    created_at    BIGINT  NOT NULL,
    finished_at   BIGINT,
    PRIMARY KEY (actor, key),
    CHECK ((committed_at IS NULL) = (target_id IS NULL)),
    CHECK ((target_kind IS NULL) = (target_id IS NULL)),
    CHECK ((status IS NULL) = (body IS NULL) AND (status IS NULL) = (headers IS NULL) AND (status IS NULL) = (finished_at IS NULL))
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- Secrets under the envelope key: the CA's key among them.
CREATE TABLE sealed_secrets (
    name        TEXT    PRIMARY KEY,
    nonce       BYTEA   NOT NULL,
    ciphertext  BYTEA   NOT NULL,
    public      BYTEA   NOT NULL,
    created_at  BIGINT  NOT NULL
);
