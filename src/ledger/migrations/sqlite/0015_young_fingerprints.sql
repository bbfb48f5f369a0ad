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
