-- What a pod is made of: plans, images, address pools.

CREATE TABLE plans (
    id           UUID    PRIMARY KEY,
    name         TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 63),
    vcpu         BIGINT  NOT NULL CHECK (vcpu BETWEEN 1 AND 512),
    memory_mib   BIGINT  NOT NULL CHECK (memory_mib BETWEEN 16 AND 16777216),
    disk_gib     BIGINT  NOT NULL CHECK (disk_gib BETWEEN 1 AND 1048576),
    traffic_gib  BIGINT  CHECK (traffic_gib >= 0),
    -- Minor units of the currency, per month.
    price_minor  BIGINT  NOT NULL CHECK (price_minor >= 0),
    currency     TEXT    NOT NULL CHECK (length(currency) = 3),
    active       BOOLEAN NOT NULL,
    version      BIGINT  NOT NULL,
    created_at   BIGINT  NOT NULL,
    updated_at   BIGINT  NOT NULL,
    -- The row stays for the pods that were made of it.
    deleted_at   BIGINT
);
CREATE UNIQUE INDEX plans_live_name ON plans (name) WHERE deleted_at IS NULL;

CREATE TABLE images (
    id             UUID    PRIMARY KEY,
    name           TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 63),
    os             TEXT    NOT NULL,
    default_user   TEXT    NOT NULL,
    min_disk_gib   BIGINT  NOT NULL CHECK (min_disk_gib >= 0),
    -- Where the template is on a server that `image_templates` does not name: by VMID or by name.
    template_vmid  BIGINT,
    template_name  TEXT,
    active         BOOLEAN NOT NULL,
    version        BIGINT  NOT NULL,
    created_at     BIGINT  NOT NULL,
    updated_at     BIGINT  NOT NULL,
    -- The row stays for the pods that were made of it.
    deleted_at     BIGINT,
    CHECK (template_vmid IS NULL OR template_name IS NULL)
);
CREATE UNIQUE INDEX images_live_name ON images (name) WHERE deleted_at IS NULL;

CREATE TABLE image_templates (
    image_id       UUID    NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    server_id      UUID    NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
    template_vmid  BIGINT,
    template_name  TEXT,
    PRIMARY KEY (image_id, server_id),
    CHECK ((template_vmid IS NULL) <> (template_name IS NULL))
);

CREATE TABLE ip_pools (
    id             UUID    PRIMARY KEY,
    name           TEXT    NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 63),
    family         BIGINT  NOT NULL CHECK (family IN (4, 6)),
    -- First and last address that may be given out, as text. A slot is an address's distance from `first`; `size` counts
    -- the slots without the gateway's, where that lies between them.
    first          TEXT    NOT NULL,
    last           TEXT    NOT NULL,
    size           BIGINT  NOT NULL CHECK (size > 0),
    prefix_length  BIGINT  NOT NULL CHECK (prefix_length BETWEEN 1 AND 128),
    gateway        TEXT    NOT NULL,
    -- {"servers": ["192.0.2.53"]}
    dns            JSONB   NOT NULL,
    -- NULL: the server's bridge.
    bridge         TEXT,
    vlan           BIGINT  CHECK (vlan BETWEEN 1 AND 4094),
    -- NULL: serves every region.
    region         TEXT,
    active         BOOLEAN NOT NULL,
    -- Where the search for a free address begins, so that a released one rests before it is given out again.
    next_slot      BIGINT  NOT NULL DEFAULT 0,
    allocated      BIGINT  NOT NULL DEFAULT 0 CHECK (allocated >= 0 AND allocated <= size),
    version        BIGINT  NOT NULL,
    created_at     BIGINT  NOT NULL,
    updated_at     BIGINT  NOT NULL
);
