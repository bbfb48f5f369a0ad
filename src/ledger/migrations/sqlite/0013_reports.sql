-- Version 13: reports. What came to each register and left it, and which reports were written.

-- Written in the transaction of the chunks that did it. `at` is the minute of the commit, in minutes since 1970: a report's
-- window begins and ends with one.
CREATE TABLE movement (
    issuer  INTEGER NOT NULL REFERENCES issuer (no),
    service TEXT NOT NULL,
    at      INTEGER NOT NULL,
    file    INTEGER NOT NULL, -- an arrival's number; 0 for what was there before movements were kept
    added   INTEGER NOT NULL,
    removed INTEGER NOT NULL,
    PRIMARY KEY (issuer, service, at, file)
) STRICT, WITHOUT ROWID;

INSERT INTO movement SELECT file.issuer, 'payment-cards', 0, 0, count(*), 0
    FROM payment_card JOIN file ON file.no = payment_card.file GROUP BY file.issuer;
INSERT INTO movement SELECT pan_list.issuer, 'pan-lists', 0, 0, count(*), 0
    FROM pan_list_member JOIN pan_list ON pan_list.no = pan_list_member.list GROUP BY pan_list.issuer;
INSERT INTO movement SELECT issuer, 'cards', 0, 0, count(*), 0 FROM card GROUP BY issuer;
INSERT INTO movement SELECT issuer, 'card-contracts', 0, 0, count(*), 0 FROM card_contract GROUP BY issuer;
INSERT INTO movement SELECT enrolled_consumer.issuer, 'click-to-pay', 0, 0, count(*), 0
    FROM enrolment JOIN enrolled_consumer ON enrolled_consumer.no = enrolment.consumer GROUP BY enrolled_consumer.issuer;

-- Nights whose files were missing when their window ended.
CREATE TABLE missed (
    feed    TEXT NOT NULL,
    day     TEXT NOT NULL,
    issuer  INTEGER NOT NULL REFERENCES issuer (no),
    service TEXT NOT NULL,
    since   INTEGER NOT NULL, -- its window, and where the next one begins
    by_at   INTEGER NOT NULL,
    until   INTEGER NOT NULL,
    files   INTEGER NOT NULL, -- expected
    PRIMARY KEY (feed, day)
) STRICT, WITHOUT ROWID;

CREATE INDEX missed_by_issuer ON missed (issuer, by_at);

-- A report's versions: other content gets another number. `written` once it stands in the outbound directory.
CREATE TABLE report (
    issuer  INTEGER NOT NULL REFERENCES issuer (no),
    name    TEXT NOT NULL,
    version INTEGER NOT NULL,
    sha256  TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    written INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (issuer, name, version)
) STRICT, WITHOUT ROWID;

CREATE INDEX file_received ON file (issuer, received_at);
