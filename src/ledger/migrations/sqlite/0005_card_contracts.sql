-- The card management store that card-contracts files keep up to date.

-- no = file << 26 | ordinal of the record that made it. The PAN is counted in vault_card.references_held; a foreign key
-- on it would need an index of its own to be checked.
CREATE TABLE card_contract (
    no              INTEGER PRIMARY KEY,
    issuer          INTEGER NOT NULL REFERENCES issuer (no),
    contract_id     TEXT NOT NULL,
    pan_id          INTEGER NOT NULL,
    expiry          INTEGER NOT NULL, -- YYYYMM
    card_product_id TEXT NOT NULL,
    status          TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX card_contract_by_id ON card_contract (issuer, contract_id);
