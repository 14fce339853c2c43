-- A pod keeps the MAC addresses of its network cards through a rebuild: they are read from the VM that goes and given to the one that is
-- made, also by a rebuild that is asked for again because the one before it failed between the two. NULL: none were read.
ALTER TABLE cloudpods ADD COLUMN macs JSONB;
