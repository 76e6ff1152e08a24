CREATE TABLE issuers (
    id                 INTEGER PRIMARY KEY,
    name               TEXT    NOT NULL UNIQUE,
    origin             TEXT    NOT NULL,
    certificate_sha256 BLOB    NOT NULL,
    settings           TEXT    NOT NULL,
    change_number      INTEGER NOT NULL
) STRICT;

-- One row a certificate, tens of millions of them, in the order of their serials: a status is one way down the tree.
-- The state is a number, see CertificateState.
CREATE TABLE registry (
    issuer_id          INTEGER NOT NULL,
    serial             BLOB    NOT NULL,
    state              INTEGER NOT NULL,
    reason             INTEGER,
    revoked_at_s       INTEGER,
    invalidity_s       INTEGER,
    change_number      INTEGER NOT NULL,
    profile            TEXT    NOT NULL,
    subject            TEXT    NOT NULL,
    not_before_s       INTEGER NOT NULL,
    not_after_s        INTEGER NOT NULL,
    certificate_sha256 BLOB,
    changed_by         TEXT    NOT NULL,
    changed_at_us      INTEGER NOT NULL,
    PRIMARY KEY (issuer_id, serial)
) STRICT, WITHOUT ROWID;

-- An import gives many rows one number; with the serial they still come in pages.
CREATE INDEX registry_changes ON registry (issuer_id, change_number, serial);

CREATE TABLE responders (
    id          INTEGER PRIMARY KEY,
    spki_sha256 BLOB    NOT NULL UNIQUE
) STRICT;

-- In the registry's order: what is due is found by walking both at once.
CREATE TABLE ocsp_answers (
    issuer_id     INTEGER NOT NULL,
    serial        BLOB    NOT NULL,
    responder_id  INTEGER NOT NULL,
    hash          INTEGER NOT NULL,
    change_number INTEGER NOT NULL,
    this_update_s INTEGER NOT NULL,
    next_update_s INTEGER NOT NULL,
    form          INTEGER NOT NULL,
    signature     BLOB    NOT NULL,
    PRIMARY KEY (issuer_id, serial, responder_id, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE tasks (
    id          TEXT    PRIMARY KEY,
    kind        TEXT    NOT NULL,
    input       TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    output      TEXT,
    asked_by    TEXT    NOT NULL,
    asked_at_us INTEGER NOT NULL
) STRICT;

CREATE INDEX tasks_waiting ON tasks (asked_at_us, id) WHERE state = 'waiting';

CREATE TABLE api_keys (
    name          TEXT    PRIMARY KEY,
    role          TEXT    NOT NULL,
    secret_sha256 BLOB    NOT NULL,
    created_at_us INTEGER NOT NULL,
    expires_at_s  INTEGER,
    revoked_at_us INTEGER
) STRICT;

CREATE TABLE leases (
    name          TEXT    PRIMARY KEY,
    holder        TEXT    NOT NULL,
    renewed_at_us INTEGER NOT NULL,
    until_us      INTEGER NOT NULL
) STRICT;

-- Status and body are there once the request is done.
CREATE TABLE idempotency (
    caller         TEXT    NOT NULL,
    key            TEXT    NOT NULL,
    request_sha256 BLOB    NOT NULL,
    claimed_at_us  INTEGER NOT NULL,
    status         INTEGER,
    body           TEXT,
    PRIMARY KEY (caller, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_age ON idempotency (claimed_at_us);
