-- Whose address an account has been shown to be, and who gave an invitation.

-- Since when it is known that the account's owner reads the mail of its address: staff said so when they made it, or a mailed link was
-- used. NULL: whoever made it had a link that was shown to who invites, and may have been that one.
ALTER TABLE users ADD COLUMN email_proven_at BIGINT;
UPDATE users SET email_proven_at = created_at
    WHERE NOT EXISTS (SELECT 1 FROM invitations i WHERE i.email = users.email AND i.accepted_at IS NOT NULL);

-- Whether the link was mailed to the address, and shown to nobody else.
ALTER TABLE invitations ADD COLUMN mailed BOOLEAN NOT NULL DEFAULT FALSE;
-- The member who may take it back and with whose rights it ends; NULL: staff. Those of before end within their week.
ALTER TABLE invitations ADD COLUMN inviter UUID REFERENCES users (id);
-- Those that ended long ago are deleted.
CREATE INDEX invitations_by_end ON invitations (COALESCE(accepted_at, revoked_at, expires_at));
