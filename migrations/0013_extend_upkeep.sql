-- Whether VMs start with their host, as wanted and as seen; whether firewalls have any effect on a host.

ALTER TABLE cloudpods ADD COLUMN start_on_boot BOOLEAN NOT NULL DEFAULT TRUE;
-- Told by every inventory; until the next one a VM is taken to be as it is wanted.
ALTER TABLE server_vms ADD COLUMN start_on_boot BOOLEAN NOT NULL DEFAULT TRUE;

-- Whether the firewall of its datacenter is on, without which no VM's filters anything, and since when that is known; NULL: not
-- known.
ALTER TABLE servers ADD COLUMN datacenter_firewall BOOLEAN;
ALTER TABLE servers ADD COLUMN datacenter_firewall_since BIGINT;

-- What waits for a pod's next start, so that a change that is undone takes back its own alone: {"causes":["size", "ssh_keys", …]}
ALTER TABLE cloudpods ADD COLUMN restart_causes JSONB NOT NULL DEFAULT '{"causes":[]}';
UPDATE cloudpods SET restart_causes = '{"causes":["size"]}' WHERE restart_needed;
ALTER TABLE cloudpods DROP COLUMN restart_needed;

-- Its VM is somebody else's still: its adoption has not succeeded, and until then nobody destroys it.
ALTER TABLE cloudpods ADD COLUMN adopting BOOLEAN NOT NULL DEFAULT FALSE;
