-- Young fingerprints need no index of their own: the process that writes holds them in memory. Which ones are young is told by
-- ranges of cards. Ranges belong to generations: the one that is filled, and the one before, of which all up to a fingerprint
-- are in the old index already. Earlier ones are there entirely.
INSERT INTO fingerprint_old SELECT issuer, fingerprint, pan_id FROM fingerprint_young ORDER BY issuer, fingerprint;
DROP TABLE fingerprint_young;

-- The cards that a commit brought.
CREATE TABLE fingerprint_range (
    no         INTEGER PRIMARY KEY,
    generation INTEGER NOT NULL,
    issuer     INTEGER NOT NULL,
    first      INTEGER NOT NULL,
    last       INTEGER NOT NULL
) STRICT;

CREATE TABLE fingerprint_ageing (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    generation  INTEGER NOT NULL,
    -- Up to which all have moved.
    fingerprint BLOB NOT NULL
) STRICT;

INSERT INTO fingerprint_ageing VALUES (1, 0, x'');

CREATE VIEW fingerprint_young AS
SELECT range.no AS range, range.generation, card.issuer, card.fingerprint, card.pan_id
    FROM fingerprint_range AS range CROSS JOIN fingerprint_ageing AS ageing
    CROSS JOIN vault_card AS card ON card.pan_id BETWEEN range.first AND range.last
    WHERE range.generation > ageing.generation
        OR (range.generation = ageing.generation
            AND card.fingerprint > ageing.fingerprint);

-- Tables that each record is written to carry no foreign keys, as those of payment cards (version 14).
CREATE TABLE pan_list_member_now (
    pan_id INTEGER NOT NULL,
    list   INTEGER NOT NULL,
    file   INTEGER NOT NULL, -- that put it there
    PRIMARY KEY (pan_id, list)
) STRICT, WITHOUT ROWID;

INSERT INTO pan_list_member_now SELECT pan_id, list, file FROM pan_list_member ORDER BY pan_id, list;
DROP TABLE pan_list_member;
ALTER TABLE pan_list_member_now RENAME TO pan_list_member;

CREATE TABLE consumer_now (
    no          INTEGER PRIMARY KEY,
    issuer      INTEGER NOT NULL,
    consumer_id TEXT NOT NULL
) STRICT;

INSERT INTO consumer_now SELECT no, issuer, consumer_id FROM consumer ORDER BY no;
DROP TABLE consumer;
ALTER TABLE consumer_now RENAME TO consumer;
CREATE UNIQUE INDEX consumer_by_id ON consumer (issuer, consumer_id);

CREATE TABLE card_now (
    pan_id          INTEGER PRIMARY KEY,
    issuer          INTEGER NOT NULL,
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
