-- Records and events in an order that everybody can rely on.
--
-- The audit, made provable: a record says from where it was asked; a trigger refuses to change or remove records; and each
-- record is sealed, linked by a hash to all that were sealed before it.
--
-- Records are sealed after they have committed, by one control plane at a time: a hash in the writers' own transactions would
-- have all of them wait for each other. `audit_unsealed` says which are to be sealed, whenever and in whatever order they commit.

ALTER TABLE audit_records ADD COLUMN address TEXT;
ALTER TABLE audit_records ADD COLUMN request_id TEXT;

-- Each filter of the list, in the list's order.
CREATE INDEX audit_records_by_tenant ON audit_records (tenant_id, id);
CREATE INDEX audit_records_by_actor ON audit_records (actor, id);
CREATE INDEX audit_records_by_action ON audit_records (action, id);

CREATE TABLE audit_unsealed (
    record_id   UUID    PRIMARY KEY,
    created_at  BIGINT  NOT NULL
);

-- hash = SHA-256(the hash before, or 32 zero bytes || the record as canonical JSON, with its seq).
CREATE TABLE audit_chain (
    seq        BIGINT  PRIMARY KEY CHECK (seq > 0),
    record_id  UUID    NOT NULL UNIQUE,
    hash       BYTEA   NOT NULL CHECK (length(hash) = 32),
    sealed_at  BIGINT  NOT NULL
);

-- Where the chain ends: says so if its end is cut off. Its lock lets one control plane seal at a time.
CREATE TABLE audit_head (
    id    BIGINT  PRIMARY KEY CHECK (id = 1),
    seq   BIGINT  NOT NULL,
    hash  BYTEA,
    CHECK ((seq = 0) = (hash IS NULL))
);
INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, NULL);

-- only sqlite
CREATE TRIGGER audit_records_no_update BEFORE UPDATE ON audit_records
    BEGIN SELECT RAISE(ABORT, 'audit_records is append-only'); END;
CREATE TRIGGER audit_records_no_delete BEFORE DELETE ON audit_records
    BEGIN SELECT RAISE(ABORT, 'audit_records is append-only'); END;
-- INSERT OR REPLACE removes a row without calling it a DELETE.
CREATE TRIGGER audit_records_no_replace BEFORE INSERT ON audit_records
    WHEN EXISTS (SELECT 1 FROM audit_records WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'audit_records is append-only'); END;
CREATE TRIGGER audit_records_queue AFTER INSERT ON audit_records
    BEGIN INSERT INTO audit_unsealed (record_id, created_at) VALUES (NEW.id, NEW.created_at); END;
CREATE TRIGGER audit_chain_no_update BEFORE UPDATE ON audit_chain
    BEGIN SELECT RAISE(ABORT, 'audit_chain is append-only'); END;
CREATE TRIGGER audit_chain_no_delete BEFORE DELETE ON audit_chain
    BEGIN SELECT RAISE(ABORT, 'audit_chain is append-only'); END;
-- end only

-- only postgres
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
    END $$;
CREATE FUNCTION audit_queue() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO audit_unsealed (record_id, created_at) VALUES (NEW.id, NEW.created_at);
        RETURN NULL;
    END $$;
CREATE TRIGGER audit_records_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_records
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_records_queue AFTER INSERT ON audit_records FOR EACH ROW EXECUTE FUNCTION audit_queue();
CREATE TRIGGER audit_chain_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_chain
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
-- end only

-- Events are numbered after they have committed, by one control plane at a time, without holes: who has read up to a number has
-- read all before it, whenever their transactions committed. `pruned` is the highest number that was deleted.
ALTER TABLE events ADD COLUMN seq BIGINT;
CREATE UNIQUE INDEX events_by_seq ON events (seq);
CREATE INDEX events_unnumbered ON events (id) WHERE seq IS NULL;
CREATE TABLE event_head (
    id      BIGINT  PRIMARY KEY CHECK (id = 1),
    seq     BIGINT  NOT NULL,
    pruned  BIGINT  NOT NULL CHECK (pruned <= seq)
);
INSERT INTO event_head (id, seq, pruned) VALUES (1, 0, 0);

-- After the trigger, so that no record of a control plane that still runs falls between the two.
INSERT INTO audit_unsealed (record_id, created_at) SELECT id, created_at FROM audit_records;
