-- Which fingerprints the old index may hold, so that few are looked up in vain: a Bloom filter in parts, by their first byte
-- (src/ledger/sqlite/filter.rs). A part is written with the fingerprints that come into its range. One that is missing is made
-- when the next do.
CREATE TABLE fingerprint_filter (
    part  INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    bits  BLOB NOT NULL
) STRICT;
