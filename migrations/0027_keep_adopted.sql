-- A VM that was adopted keeps the network and the user that it came with, until its pod is rebuilt.
ALTER TABLE cloudpods ADD COLUMN as_found BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE cloudpods SET as_found = TRUE
 WHERE EXISTS (SELECT 1 FROM jobs a WHERE a.pod_id = cloudpods.id AND a.kind = 'adopt' AND a.state = 'succeeded')
   AND NOT EXISTS (SELECT 1 FROM jobs r WHERE r.pod_id = cloudpods.id AND r.kind = 'rebuild' AND r.state = 'succeeded');
