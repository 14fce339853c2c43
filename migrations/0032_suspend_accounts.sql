-- Accounts that the platform's staff shut out and let in again, and what staff give those who lost what they sign in with.

-- What a customer is searched by, in lower case beyond ASCII too, which not every database can do: name and contact_email. NULL: not
-- written down yet. Tenants come first: others that hold both hold a tenant before a person.
ALTER TABLE tenants ADD COLUMN search TEXT;
CREATE INDEX tenants_unsearchable ON tenants (id) WHERE search IS NULL;

-- Since when its person may come in nowhere, whatever they belong to; NULL: they may where they belong.
ALTER TABLE users ADD COLUMN suspended_at BIGINT;
CREATE INDEX users_suspended ON users (id) WHERE suspended_at IS NOT NULL;

-- The invitations that somebody gave end with their account: staff's too, of which only the platform's own token's have no inviter now.
CREATE INDEX invitations_by_inviter ON invitations (inviter) WHERE accepted_at IS NULL AND revoked_at IS NULL;

-- Whether the link was mailed to the account's address; otherwise staff were shown it, and it shows nothing of whose the address is.
ALTER TABLE password_resets ADD COLUMN mailed BOOLEAN NOT NULL DEFAULT TRUE;

-- To make deliveries of an event, the platform's webhooks and those of the event's tenant are looked at, and no others.
CREATE INDEX webhooks_active ON webhooks (tenant_id, id) WHERE active;
