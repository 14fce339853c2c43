-- Several drains may empty one server until it is opened again: a filling brings back what all of them moved.

-- When the server was opened after this drain, the same of all drains before that; NULL: it was not yet.
ALTER TABLE drains ADD COLUMN opened_at BIGINT;

-- Of earlier drains it is not known whether the server was opened between them. As until now, the newest one counts.
UPDATE drains SET opened_at = created_at
 WHERE EXISTS (SELECT 1 FROM drains later
                WHERE later.server_id = drains.server_id AND later.kind = 'drain' AND later.id > drains.id)
    OR EXISTS (SELECT 1 FROM servers s WHERE s.id = drains.server_id AND s.scheduling = 'online');
