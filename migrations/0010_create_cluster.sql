-- Several control planes over one database: who is alive, and what they ask of the agents whose sessions others hold.

-- One row for each process that runs or ran a short while ago.
CREATE TABLE instances (
    id          UUID    PRIMARY KEY,
    -- For people: the machine and the process.
    name        TEXT    NOT NULL,
    version     TEXT    NOT NULL,
    started_at  BIGINT  NOT NULL,
    -- Whoever was not seen for a lease is taken for dead.
    seen_at     BIGINT  NOT NULL
);

-- A mailbox with short-lived letters. What is asked here must be harmless to lose: it is asked again, or was a mere wish.
CREATE TABLE agent_calls (
    id          UUID    PRIMARY KEY,
    asker       UUID    NOT NULL,
    -- The control plane that holds, or held, the session of this server's agent.
    holder      UUID    NOT NULL,
    server_id   UUID    NOT NULL,
    request     JSONB   NOT NULL,
    taken       BOOLEAN NOT NULL,
    answer      JSONB,
    expires_at  BIGINT  NOT NULL
);
CREATE INDEX agent_calls_to_take ON agent_calls (holder) WHERE NOT taken;
CREATE INDEX agent_calls_answered ON agent_calls (asker) WHERE answer IS NOT NULL;
CREATE INDEX agent_calls_by_end ON agent_calls (expires_at);
