-- Fingerprints in an index of two levels. An index that is visited at random costs a page read and a page written for each
-- record once it is larger than the cache. New fingerprints go into a small one, which the cache holds, and from there in
-- order of their keys into the large one, whose pages are then written once for many. A fingerprint is in one of the two.
CREATE TABLE fingerprint_young (
    issuer      INTEGER NOT NULL,
    fingerprint BLOB NOT NULL,
    pan_id      INTEGER NOT NULL,
    PRIMARY KEY (issuer, fingerprint)
) STRICT, WITHOUT ROWID;

CREATE TABLE fingerprint_old (
    issuer      INTEGER NOT NULL,
    fingerprint BLOB NOT NULL,
    pan_id      INTEGER NOT NULL,
    PRIMARY KEY (issuer, fingerprint)
) STRICT, WITHOUT ROWID;

INSERT INTO fingerprint_old SELECT issuer, fingerprint, pan_id FROM vault_card ORDER BY issuer, fingerprint;

-- The tables that a record of payment-cards is written to carry no foreign keys: a key is looked up for each row, and a
-- statement of many rows then keeps a copy of every page that it changes. What they guarded, references_held counts.
CREATE TABLE vault_card_now (
    pan_id      INTEGER PRIMARY KEY,
    issuer      INTEGER NOT NULL,
    fingerprint BLOB NOT NULL,
    sealed      BLOB NOT NULL,
    epoch       INTEGER NOT NULL,
    digits      INTEGER NOT NULL,
    bin6        INTEGER NOT NULL,
    last4       INTEGER NOT NULL,
    references_held INTEGER NOT NULL
) STRICT;

INSERT INTO vault_card_now
    SELECT pan_id, issuer, fingerprint, sealed, epoch, digits, bin6, last4, references_held FROM vault_card ORDER BY pan_id;

CREATE TABLE payment_card_now (
    pan_id          INTEGER PRIMARY KEY,
    payment_card_id BLOB NOT NULL,
    file            INTEGER NOT NULL
) STRICT;

INSERT INTO payment_card_now SELECT pan_id, payment_card_id, file FROM payment_card ORDER BY pan_id;
DROP TABLE payment_card;
ALTER TABLE payment_card_now RENAME TO payment_card;
CREATE UNIQUE INDEX payment_card_by_id ON payment_card (payment_card_id);

CREATE TABLE card_now (
    pan_id          INTEGER PRIMARY KEY REFERENCES vault_card_now (pan_id),
    issuer          INTEGER NOT NULL REFERENCES issuer (no),
    card_id         TEXT NOT NULL,
    consumer        INTEGER NOT NULL,
    card_product_id TEXT NOT NULL,
    state           TEXT NOT NULL, -- ACTIVE or INACTIVE
    expiry          INTEGER NOT NULL, -- YYYYMM
    registration    TEXT NOT NULL
) STRICT;

INSERT INTO card_now
    SELECT pan_id, issuer, card_id, consumer, card_product_id, state, expiry, registration FROM card ORDER BY pan_id;
DROP TABLE card;
ALTER TABLE card_now RENAME TO card;
CREATE UNIQUE INDEX card_by_id ON card (issuer, card_id);

DROP TABLE vault_card;
ALTER TABLE vault_card_now RENAME TO vault_card;
