-- Consumers of click-to-pay, and the cards that they have enrolled.

-- no = file << 26 | ordinal of the record that made it. key: keyed hash of the issuer's own id for the consumer, or of its
-- e-mail: neither is kept.
CREATE TABLE enrolled_consumer (
    no              INTEGER PRIMARY KEY,
    issuer          INTEGER NOT NULL REFERENCES issuer (no),
    key             BLOB NOT NULL,
    src_consumer_id BLOB NOT NULL,
    added_at        INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX enrolled_consumer_by_key ON enrolled_consumer (issuer, key);

-- The PAN is counted in vault_card.references_held.
CREATE TABLE enrolment (
    consumer            INTEGER NOT NULL REFERENCES enrolled_consumer (no),
    pan_id              INTEGER NOT NULL,
    src_digital_card_id BLOB NOT NULL,
    created_at          INTEGER NOT NULL,
    PRIMARY KEY (consumer, pan_id)
) STRICT, WITHOUT ROWID;
