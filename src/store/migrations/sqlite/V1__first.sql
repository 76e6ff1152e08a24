CREATE TABLE servers (
    server_id     INTEGER PRIMARY KEY,
    name          TEXT    NOT NULL,
    lease_id      BLOB    NOT NULL,
    renewed_at_us INTEGER NOT NULL,
    clean         INTEGER NOT NULL,
    last_number   INTEGER NOT NULL,
    last_hash     BLOB    NOT NULL
) STRICT;

-- One row a record; tokens have the columns from serial on, events have detail. The position is the server's id times
-- 2^44 plus the number; server_id and number are computed from it and not stored.
CREATE TABLE ledger (
    position       INTEGER PRIMARY KEY,
    kind           TEXT    NOT NULL,
    recorded_at_us INTEGER NOT NULL,
    previous_hash  BLOB    NOT NULL,
    detail         TEXT,
    serial         BLOB,
    gen_time_us    INTEGER,
    profile        TEXT,
    hash_algorithm TEXT,
    imprint        BLOB,
    policy         TEXT,
    key_name       TEXT,
    caller         TEXT,
    token_sha256   BLOB,
    token          BLOB,
    server_id      INTEGER AS (position >> 44) VIRTUAL,
    number         INTEGER AS (position & 17592186044415) VIRTUAL
) STRICT;

-- Serials ascend, so this index is written at its end only.
CREATE UNIQUE INDEX ledger_serial ON ledger (serial) WHERE serial IS NOT NULL;

-- Closed segments of the ledger, sorted by imprint: see segments.rs.
CREATE TABLE imprint_segments (
    server_id INTEGER NOT NULL,
    segment   INTEGER NOT NULL,
    entries   BLOB    NOT NULL,
    UNIQUE (server_id, segment)
) STRICT;

CREATE TABLE ordered_times (
    profile TEXT    PRIMARY KEY,
    last_us INTEGER NOT NULL
) STRICT;

CREATE TABLE keys (
    name               TEXT    PRIMARY KEY,
    token              TEXT    NOT NULL,
    uri                TEXT    NOT NULL,
    role               TEXT    NOT NULL,
    algorithm          TEXT    NOT NULL,
    state              TEXT    NOT NULL,
    certificate_sha256 BLOB,
    changed_at_us      INTEGER NOT NULL
) STRICT;

-- A role has one active key, and one successor that waits (EN 319 421 TIS-7.6.2-08).
CREATE UNIQUE INDEX keys_active ON keys (role) WHERE state = 'active';
CREATE UNIQUE INDEX keys_successor ON keys (role) WHERE state = 'successor';

CREATE TABLE certificates (
    sha256       BLOB    PRIMARY KEY,
    der          BLOB    NOT NULL,
    subject      TEXT    NOT NULL,
    issuer       TEXT    NOT NULL,
    serial       TEXT    NOT NULL,
    not_before_s INTEGER NOT NULL,
    not_after_s  INTEGER NOT NULL,
    role         TEXT    NOT NULL
) STRICT;

CREATE TABLE profiles (
    name TEXT PRIMARY KEY,
    text TEXT NOT NULL
) STRICT;
