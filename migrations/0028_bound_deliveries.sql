-- What waits for a webhook is bounded, and claimed webhook by webhook, without a look at all that waits.

-- How much a webhook was not sent because too much waited for it already, and since when.
ALTER TABLE webhooks ADD COLUMN dropped BIGINT NOT NULL DEFAULT 0;
ALTER TABLE webhooks ADD COLUMN dropped_since BIGINT;

-- What waits: the claim goes from one webhook to the next, and takes the first of each. It also says how much waits for one.
DROP INDEX webhook_deliveries_due;
CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (webhook_id, run_at, id) WHERE state = 'pending';

-- What is under way, counted from the present time on.
CREATE INDEX webhook_deliveries_leased ON webhook_deliveries (webhook_id, lease_until) WHERE lease_until IS NOT NULL;

-- What is over, by age, to be deleted: what waits, however old, is not looked at.
DROP INDEX webhook_deliveries_by_age;
CREATE INDEX webhook_deliveries_over ON webhook_deliveries (created_at) WHERE state <> 'pending';

-- The row is there from now on: it is held by whoever adds a webhook of the platform's own, which have no other owner's row.
INSERT INTO webhook_head (id, seq) SELECT 1, seq FROM event_head WHERE NOT EXISTS (SELECT 1 FROM webhook_head);
