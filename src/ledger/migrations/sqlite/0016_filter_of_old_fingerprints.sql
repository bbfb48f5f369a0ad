-- Which fingerprints the old index may hold, so that few are looked up in vain: a Bloom filter in parts, by their first byte
-- (src/ledger/sqlite/filter.rs). A part is written with the fingerprints that come into its range. One that is missing, or of
-- another version, is made when the next do.
CREATE TABLE fingerprint_filter (
    part    INTEGER PRIMARY KEY,
    version INTEGER NOT NULL,
    made    INTEGER NOT NULL, -- for so many
    count   INTEGER NOT NULL, -- noted since
    bits    BLOB NOT NULL
) STRICT;
