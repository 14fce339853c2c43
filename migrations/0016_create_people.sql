-- People: who they are, which tenants they belong to and as what, how they prove who they are, and the API tokens they make.

-- A person. What they may do hangs on their memberships, and for staff on platform_role.
CREATE TABLE users (
    id                   UUID    PRIMARY KEY,
    -- In lower case: one person an address.
    email                TEXT    NOT NULL UNIQUE CHECK (length(email) BETWEEN 3 AND 254),
    name                 TEXT    NOT NULL CHECK (length(name) <= 100),
    -- Argon2id in PHC form; NULL: signs in otherwise, or has not chosen one yet.
    password_hash        TEXT,
    password_changed_at  BIGINT,
    platform_role        TEXT    CHECK (platform_role IN ('PLATFORM_ADMIN')),
    -- Sealed under the envelope key. Without totp_enabled_at it waits for its first code.
    totp_secret          BYTEA,
    totp_enabled_at      BIGINT,
    -- The newest time step whose code was used: no code counts twice.
    totp_step            BIGINT,
    last_sign_in_at      BIGINT,
    version              BIGINT  NOT NULL,
    created_at           BIGINT  NOT NULL,
    updated_at           BIGINT  NOT NULL,
    CHECK (totp_enabled_at IS NULL OR totp_secret IS NOT NULL),
    CHECK ((password_hash IS NULL) = (password_changed_at IS NULL))
);
CREATE INDEX users_staff ON users (id) WHERE platform_role IS NOT NULL;

-- A person may belong to several tenants, with another role in each.
CREATE TABLE memberships (
    tenant_id     UUID    NOT NULL REFERENCES tenants (id),
    user_id       UUID    NOT NULL REFERENCES users (id),
    role          TEXT    NOT NULL CHECK (role IN ('OWNER', 'ADMIN', 'BILLING', 'MEMBER')),
    suspended_at  BIGINT,
    version       BIGINT  NOT NULL,
    created_at    BIGINT  NOT NULL,
    updated_at    BIGINT  NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
);
CREATE INDEX memberships_by_user ON memberships (user_id);
-- A tenant always has one that is not suspended; whoever changes a membership holds the tenant's row.
CREATE INDEX memberships_owners ON memberships (tenant_id) WHERE role = 'OWNER' AND suspended_at IS NULL;

-- One-time links by which somebody joins a tenant. The secret itself is never stored.
CREATE TABLE invitations (
    id           UUID    PRIMARY KEY,
    tenant_id    UUID    NOT NULL REFERENCES tenants (id),
    email        TEXT    NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    role         TEXT    NOT NULL CHECK (role IN ('OWNER', 'ADMIN', 'BILLING', 'MEMBER')),
    secret_hash  BYTEA   NOT NULL,
    invited_by   TEXT    NOT NULL,
    created_at   BIGINT  NOT NULL,
    expires_at   BIGINT  NOT NULL,
    accepted_at  BIGINT,
    revoked_at   BIGINT
);
-- A newer invitation of the same address replaces the older.
CREATE UNIQUE INDEX invitations_open ON invitations (tenant_id, email) WHERE accepted_at IS NULL AND revoked_at IS NULL;

-- What one sign-in began: a family of refresh tokens, of which only the newest generation counts. An older one that is shown
-- again was stolen, or its owner's was: the family ends.
CREATE TABLE sessions (
    id            UUID    PRIMARY KEY,
    user_id       UUID    NOT NULL REFERENCES users (id),
    refresh_hash  BYTEA   NOT NULL,
    generation    BIGINT  NOT NULL,
    address       TEXT    NOT NULL,
    user_agent    TEXT    NOT NULL CHECK (length(user_agent) <= 300),
    created_at    BIGINT  NOT NULL,
    used_at       BIGINT  NOT NULL,
    expires_at    BIGINT  NOT NULL,
    ended_at      BIGINT,
    ended_reason  TEXT,
    CHECK ((ended_at IS NULL) = (ended_reason IS NULL))
);
CREATE INDEX sessions_by_user ON sessions (user_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- Each works once, in place of a TOTP code.
CREATE TABLE recovery_codes (
    user_id    UUID    NOT NULL REFERENCES users (id),
    code_hash  BYTEA   NOT NULL,
    used_at    BIGINT,
    PRIMARY KEY (user_id, code_hash)
);

-- One-time links by which somebody chooses a new password.
CREATE TABLE password_resets (
    id           UUID    PRIMARY KEY,
    user_id      UUID    NOT NULL REFERENCES users (id),
    secret_hash  BYTEA   NOT NULL,
    created_at   BIGINT  NOT NULL,
    expires_at   BIGINT  NOT NULL,
    used_at      BIGINT
);
CREATE INDEX password_resets_by_user ON password_resets (user_id) WHERE used_at IS NULL;

-- Failed sign-ins by account and by address ("account:…", "address:…"): each makes the next wait longer.
CREATE TABLE sign_in_failures (
    subject     TEXT    PRIMARY KEY,
    failures    BIGINT  NOT NULL,
    wait_until  BIGINT  NOT NULL,
    updated_at  BIGINT  NOT NULL
);
CREATE INDEX sign_in_failures_by_age ON sign_in_failures (updated_at);

-- Who somebody is at an OIDC provider.
CREATE TABLE user_identities (
    issuer      TEXT    NOT NULL,
    subject     TEXT    NOT NULL,
    user_id     UUID    NOT NULL REFERENCES users (id),
    created_at  BIGINT  NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX user_identities_by_user ON user_identities (user_id);

-- The platform's bootstrap token has no user. Everybody else's has one, and what it may do: {"permissions":["cloudpods:read", …]},
-- never more than its user may at that moment. Without a tenant it is a staff member's, for all tenants.
ALTER TABLE api_tokens ADD COLUMN user_id UUID REFERENCES users (id);
ALTER TABLE api_tokens ADD COLUMN tenant_id UUID REFERENCES tenants (id);
ALTER TABLE api_tokens ADD COLUMN permissions JSONB;
ALTER TABLE api_tokens ADD COLUMN expires_at BIGINT;
ALTER TABLE api_tokens ADD COLUMN last_used_at BIGINT;
-- The token with which it was made, and with which it ends.
ALTER TABLE api_tokens ADD COLUMN made_with UUID REFERENCES api_tokens (id);
DROP INDEX api_tokens_active;
CREATE UNIQUE INDEX api_tokens_bootstrap ON api_tokens (name) WHERE revoked_at IS NULL AND user_id IS NULL;
-- A token that was replaced may be chosen again for the bootstrap token.
CREATE UNIQUE INDEX api_tokens_hash ON api_tokens (secret_hash) WHERE revoked_at IS NULL;
CREATE INDEX api_tokens_by_user ON api_tokens (user_id) WHERE revoked_at IS NULL;
CREATE INDEX api_tokens_by_maker ON api_tokens (made_with) WHERE made_with IS NOT NULL;
