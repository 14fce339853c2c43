-- What placement and the limits of copies know beside the figures of hosts.

-- Why nothing that is ordered there would be done, such as a ledger that cannot be written; '': nothing known.
ALTER TABLE servers ADD COLUMN refuses TEXT NOT NULL DEFAULT '';
-- Since when its agent is heard without an answer of Proxmox; NULL: Proxmox answers. What was known before counts for a while.
ALTER TABLE servers ADD COLUMN proxmox_silent_since BIGINT;
-- The storages that may hold backups: {"names":["backups", …]}; NULL: not told.
ALTER TABLE servers ADD COLUMN seen_backup_storages JSONB;

-- A move copies disks from one storage to another: the key of the one that it goes to, beside `room`, which is the one that it
-- comes from. It counts at both.
ALTER TABLE jobs ADD COLUMN room_there TEXT;
CREATE INDEX jobs_by_room_there ON jobs (room_there) WHERE room_there IS NOT NULL;
