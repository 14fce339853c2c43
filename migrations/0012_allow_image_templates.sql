-- Templates that are made for images take VMIDs out of the same spaces as pods.
ALTER TABLE vmids ADD COLUMN image_id UUID REFERENCES images (id);
CREATE UNIQUE INDEX vmids_one_per_image ON vmids (image_id) WHERE image_id IS NOT NULL;

-- Nothing has been in it yet. A template has no VMID before one was taken, and after it was given back.
DROP TABLE image_vms;
CREATE TABLE image_vms (
    image_id     UUID    PRIMARY KEY REFERENCES images (id),
    -- Of which pod.
    pod_id       UUID    NOT NULL REFERENCES cloudpods (id),
    server_id    UUID    NOT NULL REFERENCES servers (id),
    vmid         BIGINT,
    state        TEXT    NOT NULL CHECK (state IN ('creating', 'ready', 'deleting')),
    created_at   BIGINT  NOT NULL
);
CREATE UNIQUE INDEX image_vms_vm ON image_vms (server_id, vmid) WHERE vmid IS NOT NULL;
