-- The partition whose CRL lists the certificate, as its distribution point says; 0 for the complete one.
ALTER TABLE registry ADD COLUMN crl_partition INTEGER NOT NULL DEFAULT 0;

-- Whether it was on hold once: a delta CRL then says removeFromCRL of it (RFC 5280 §5.2.4).
ALTER TABLE registry ADD COLUMN was_held BOOLEAN NOT NULL DEFAULT false;

-- What CRLs list, in the order in which they list it.
CREATE INDEX registry_listed ON registry (issuer_id, crl_partition, serial) WHERE state IN (2, 3);

-- What a CRL must tell of, in the order in which it changed: most certificates never do.
CREATE INDEX registry_listed_changes ON registry (issuer_id, change_number, serial) WHERE state IN (2, 3) OR was_held;

-- An issuer's last CRL number, taken before the CRL is signed: a crash leaves a gap and never a number twice.
CREATE TABLE crl_series (
    issuer_id   BIGINT PRIMARY KEY,
    last_number BIGINT NOT NULL
);

-- Staged, published, replaced, and swept when the octets are gone. The scope is complete, delta, or a partition's number.
CREATE TABLE crls (
    id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id     BIGINT NOT NULL,
    scope         TEXT   NOT NULL,
    number        BIGINT NOT NULL,
    base_number   BIGINT,
    change_number BIGINT NOT NULL,
    this_update_s BIGINT NOT NULL,
    next_update_s BIGINT NOT NULL,
    entries       BIGINT NOT NULL,
    octets        BIGINT NOT NULL,
    sha256        BYTEA  NOT NULL,
    state         TEXT   NOT NULL,
    changed_at_us BIGINT NOT NULL,
    UNIQUE (issuer_id, number)
);

CREATE UNIQUE INDEX crls_published ON crls (issuer_id, scope) WHERE state = 'published';
CREATE INDEX crls_to_sweep ON crls (changed_at_us) WHERE state IN ('staged', 'replaced');

CREATE TABLE crl_chunks (
    crl_id   BIGINT  NOT NULL,
    position INTEGER NOT NULL,
    octets   BYTEA   NOT NULL,
    PRIMARY KEY (crl_id, position)
);

-- Serial numbers do not get shorter by trying.
ALTER TABLE crl_chunks ALTER COLUMN octets SET STORAGE EXTERNAL;
