-- The partition whose CRL lists the certificate, as its distribution point says; 0 for the complete one.
ALTER TABLE registry ADD COLUMN crl_partition INTEGER NOT NULL DEFAULT 0;

-- Whether it was on hold once: a delta CRL then says removeFromCRL of it (RFC 5280 §5.2.4).
ALTER TABLE registry ADD COLUMN was_held INTEGER NOT NULL DEFAULT 0;

-- What CRLs list, in the order in which they list it.
CREATE INDEX registry_listed ON registry (issuer_id, crl_partition, serial) WHERE state IN (2, 3);

-- What a CRL must tell of, in the order in which it changed: most certificates never do.
CREATE INDEX registry_listed_changes ON registry (issuer_id, change_number, serial) WHERE state IN (2, 3) OR was_held;

-- An issuer's last CRL number, taken before the CRL is signed: a crash leaves a gap and never a number twice.
CREATE TABLE crl_series (
    issuer_id   INTEGER PRIMARY KEY,
    last_number INTEGER NOT NULL
) STRICT;

-- Staged, published, replaced, and swept when the octets are gone. The scope is complete, delta, or a partition's number.
CREATE TABLE crls (
    id            INTEGER PRIMARY KEY,
    issuer_id     INTEGER NOT NULL,
    scope         TEXT    NOT NULL,
    number        INTEGER NOT NULL,
    base_number   INTEGER,
    change_number INTEGER NOT NULL,
    this_update_s INTEGER NOT NULL,
    next_update_s INTEGER NOT NULL,
    entries       INTEGER NOT NULL,
    octets        INTEGER NOT NULL,
    sha256        BLOB    NOT NULL,
    state         TEXT    NOT NULL,
    changed_at_us INTEGER NOT NULL,
    UNIQUE (issuer_id, number)
) STRICT;

CREATE UNIQUE INDEX crls_published ON crls (issuer_id, scope) WHERE state = 'published';
CREATE INDEX crls_to_sweep ON crls (changed_at_us) WHERE state IN ('staged', 'replaced');

CREATE TABLE crl_chunks (
    crl_id   INTEGER NOT NULL,
    position INTEGER NOT NULL,
    octets   BLOB    NOT NULL,
    UNIQUE (crl_id, position)
) STRICT;
