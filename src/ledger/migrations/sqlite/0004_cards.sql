-- cards: consumers, their live cards, and the PANs that are never taken again.

-- no = file << 26 | ordinal of the record that first named the consumer.
CREATE TABLE consumer (
    no          INTEGER PRIMARY KEY,
    issuer      INTEGER NOT NULL REFERENCES issuer (no),
    consumer_id TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX consumer_by_id ON consumer (issuer, consumer_id);

-- A PAN has one live card at most, so a card's key is that of its PAN. A foreign key on the consumer would need an index of its
-- own to be checked when one goes; none ever does.
CREATE TABLE card (
    pan_id          INTEGER PRIMARY KEY REFERENCES vault_card (pan_id),
    issuer          INTEGER NOT NULL REFERENCES issuer (no),
    card_id         TEXT NOT NULL,
    consumer        INTEGER NOT NULL,
    card_product_id TEXT NOT NULL,
    state           TEXT NOT NULL, -- ACTIVE or INACTIVE
    expiry          INTEGER NOT NULL, -- YYYYMM
    registration    TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX card_by_id ON card (issuer, card_id);

-- PANs that were deleted from this service; never purged.
CREATE TABLE card_retired (
    issuer      INTEGER NOT NULL REFERENCES issuer (no),
    fingerprint BLOB NOT NULL,
    PRIMARY KEY (issuer, fingerprint)
) STRICT, WITHOUT ROWID;
