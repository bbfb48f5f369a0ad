-- PAN lists and what is in them.

-- no = file << 26 | ordinal of the record that made it; each request of a file makes one at most. Bounds stand as given.
CREATE TABLE pan_list (
    no          INTEGER PRIMARY KEY,
    issuer      INTEGER NOT NULL REFERENCES issuer (no),
    pan_list_id INTEGER NOT NULL,
    name        TEXT NOT NULL,
    cid         TEXT NOT NULL,
    ica         TEXT NOT NULL,
    country     TEXT NOT NULL,
    low         TEXT NOT NULL,
    high        TEXT NOT NULL,
    file        INTEGER NOT NULL,
    request     INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX pan_list_by_id ON pan_list (issuer, pan_list_id);
CREATE UNIQUE INDEX pan_list_by_request ON pan_list (file, request);

-- A PAN may be in many lists; each is counted in vault_card.references_held. Rows of new PANs grow at the end.
CREATE TABLE pan_list_member (
    pan_id INTEGER NOT NULL,
    list   INTEGER NOT NULL REFERENCES pan_list (no),
    file   INTEGER NOT NULL, -- that put it there
    PRIMARY KEY (pan_id, list)
) STRICT, WITHOUT ROWID;
