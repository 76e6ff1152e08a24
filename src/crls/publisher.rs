//! Makes a CRL, has it signed, and publishes it.

use std::collections::HashSet;
use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{BufWriter, Cursor, Read, Seek as _, Write};

use aws_lc_rs::digest::Context;
use crl::lint::{Finding, Profile, Severity, lint, lint_unique};
use crl::scope::{DistributionPoint, IssuingDistributionPoint, OnlyContains, ScopeError};
use crl::{
    BuildError, CrlFields, CrlNumber, EntryFields, EntrySpool, ReadError, Reader, ReasonCode, SpooledEntries,
    TbsCertList,
};
use serde_json::json;

use super::schedule::SKEW_S;
use crate::ca::builder::IssuerUrls;
use crate::ca::registry::{Issuer, Registry, RegistryError};
use crate::crypto::{DigestAlgorithm, PublicKeyError, SignatureAlgorithm, SignatureEncodingError};
use crate::keys::{SignError, Signer};
use crate::store::{
    CRL_CHUNK, CertificateState, Change, CrlRow, CrlScope, Listed, ListedRow, PAST_EVERY_SERIAL, StoreError,
};

/// Certificates read at once.
const PAGE: u32 = 16_384;
/// The most octets that are kept for an Ed25519 key, which signs no digest: a million and a half entries.
const MAX_MESSAGE: u64 = 64 << 20;
/// Entries of a CRL that the lint reads: more than the store can hold.
const MAX_ENTRIES: u64 = 1 << 32;
/// Stands for the signature before there is one: the lint reads past it, whatever its length.
const PLACEHOLDER: [u8; 64] = [0x5a; 64];

/// Why a CRL is not published. The one before it stands.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The registry or the ledger.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The issuer is not there any more.
    #[error("there is no issuer number {issuer_id}")]
    NoIssuer {
        /// Its number.
        issuer_id: i64,
    },
    /// A delta without a complete CRL.
    #[error("a delta builds on a published complete CRL, and issuer {issuer} has none yet (RFC 5280 §5.2.4)")]
    NoBase {
        /// The issuer.
        issuer: String,
    },
    /// Entries or fields that can't be written.
    #[error("the CRL can't be built: {0}")]
    Build(#[from] BuildError),
    /// A distribution point that can't be written.
    #[error("the CRL's distribution point: {0}")]
    Scope(#[from] ScopeError),
    /// The signature's algorithm has no identifier.
    #[error("the CRL's signature: {0}")]
    Algorithm(#[from] SignatureEncodingError),
    /// The CRL would break a rule.
    #[error("the CRL would break a rule and is not published: {}", findings.iter().map(Finding::to_string).collect::<Vec<_>>().join("; "))]
    Lint {
        /// What.
        findings: Vec<Finding>,
    },
    /// What was made does not read back.
    #[error("the CRL that was made does not read back: {0}")]
    ReadBack(#[from] ReadError),
    /// What was made reads back as something else.
    #[error("the CRL that was made reads back with other signed octets")]
    Changed,
    /// The key.
    #[error("signing the CRL: {0}")]
    Sign(#[from] SignError),
    /// The key signs, and not for the issuer's certificate.
    #[error("the key's signature is not one of the issuer's certificate: {0}")]
    OtherKey(#[from] PublicKeyError),
    /// Too long for a key that signs no digest.
    #[error(
        "the CRL has {octets} octets and an Ed25519 key signs at most {MAX_MESSAGE}: spread it over partitions (`noonmark issuer set {issuer} --crl-partitions N`)"
    )]
    TooLong {
        /// The issuer.
        issuer: String,
        /// The octets to be signed.
        octets: u64,
    },
    /// The temporary files.
    #[error("a temporary file in {}: {source}; is its disk full? TMPDIR names another place", std::env::temp_dir().display())]
    Spool {
        /// What the system says.
        source: std::io::Error,
    },
    /// A number beyond what the store counts.
    #[error("the CRL has more entries or octets than can be counted")]
    Count,
}

fn spool(source: std::io::Error) -> PublishError {
    PublishError::Spool { source }
}

/// How far the making has come; whoever watches may show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Its number is taken.
    Numbered(i64),
    /// So many entries are read.
    Read(u64),
    /// All entries are read, and the CRL is linted.
    Linted,
    /// It is signed.
    Signed,
    /// The store knows of it.
    Staged,
    /// So many of its octets are in the store.
    Stored(u64),
    /// It is published.
    Published,
}

/// Makes and publishes an issuer's CRLs.
pub struct Publisher<'a> {
    registry: &'a Registry,
    issuer: &'a Issuer,
    signer: &'a dyn Signer,
    /// The key's name, for the record.
    key_name: &'a str,
    urls: IssuerUrls,
    who: &'a str,
    on_step: &'a dyn Fn(Step),
    may_end_earlier: bool,
}

/// What is to be signed, on disk, with what comes around it.
struct Unsigned {
    tbs: TbsCertList<SpooledEntries<File>>,
    /// The TBSCertList's octets, so that the entries' order and number are written once.
    file: File,
    digest: aws_lc_rs::digest::Digest,
    algorithm: SignatureAlgorithm,
}

impl<'a> Publisher<'a> {
    /// A publisher for an issuer whose key is `signer`.
    #[must_use]
    pub fn new(
        registry: &'a Registry,
        public_url: &str,
        issuer: &'a Issuer,
        (signer, key_name): (&'a dyn Signer, &'a str),
        who: &'a str,
        on_step: &'a dyn Fn(Step),
    ) -> Self {
        let urls = IssuerUrls::new(public_url, &issuer.row.name);
        Self { registry, issuer, signer, key_name, urls, who, on_step, may_end_earlier: false }
    }

    /// Lets nextUpdate be earlier than that of the CRL before: after settings were shortened.
    #[must_use]
    pub fn ending_earlier(mut self, may_end_earlier: bool) -> Self {
        self.may_end_earlier = may_end_earlier;
        self
    }

    /// Makes the CRL of a scope and publishes it; `published` are the issuer's published ones.
    ///
    /// # Errors
    /// See [`PublishError`]; the one before it stands.
    pub fn publish(&self, scope: CrlScope, published: &[CrlRow], now_s: i64) -> Result<CrlRow, PublishError> {
        // Before anything is read: whoever takes a higher number reads later, and may alone publish.
        let number = self.registry.store().next_crl_number(self.issuer.row.id)?;
        (self.on_step)(Step::Numbered(number));
        let facts = json!({
            "issuer": self.issuer.row.name, "scope": scope.name(), "number": number, "key": self.key_name, "who": self.who,
        });
        self.registry.note("crl-begun", facts)?;
        let made = self.publish_as(number, scope, published, now_s);
        if let Err(error) = &made {
            // What has no record of its end is one that a dying process left.
            let facts = json!({
                "issuer": self.issuer.row.name, "number": number, "reason": error.to_string(), "who": self.who,
            });
            if let Err(error) = self.registry.note("crl-abandoned", facts) {
                tracing::warn!(%error, number, "that a CRL was abandoned is not in the ledger");
            }
        }
        made
    }

    fn publish_as(
        &self,
        number: i64,
        scope: CrlScope,
        published: &[CrlRow],
        now_s: i64,
    ) -> Result<CrlRow, PublishError> {
        let store = self.registry.store();
        let issuer_id = self.issuer.row.id;
        let of = |scope| published.iter().find(|row| row.scope == scope && row.issuer_id == issuer_id);
        let before = of(scope);
        let base = match scope {
            CrlScope::Delta => Some(
                of(CrlScope::Complete).ok_or_else(|| PublishError::NoBase { issuer: self.issuer.row.name.clone() })?,
            ),
            _ => None,
        };
        let numbers = store.issuer_numbers()?;
        let change_number = numbers.iter().find(|(id, _)| *id == issuer_id).map(|(_, number)| *number);
        let change_number = change_number.ok_or(PublishError::NoIssuer { issuer_id })?;

        let mut spooled = EntrySpool::new(tempfile::tempfile().map_err(spool)?);
        let entries = match base {
            Some(base) => self.spool_delta(&mut spooled, base.change_number, change_number)?,
            None => self.spool_whole(&mut spooled, scope, before, now_s)?,
        };
        let validity_s = match scope {
            CrlScope::Delta => self.issuer.settings.crl.delta_validity_s(),
            _ => None,
        };
        let validity_s = validity_s.unwrap_or_else(|| self.issuer.settings.crl.validity_s());
        // RFC 5280 §5.1.2.5: nextUpdate SHOULD NOT be earlier than that of any CRL before, unless the clock was wrong then, or
        // the operator wants it so.
        let is_kept = |before: &&CrlRow| !self.may_end_earlier && before.this_update_s <= now_s + SKEW_S;
        let next_update_s = before.filter(is_kept).map_or(0, |before| before.next_update_s).max(now_s + validity_s);
        let row = CrlRow {
            id: 0,
            issuer_id,
            scope,
            number,
            base_number: base.map(|base| base.number),
            change_number,
            this_update_s: now_s,
            next_update_s,
            entries: i64::try_from(entries).map_err(|_| PublishError::Count)?,
            octets: 0,
            sha256: [0; 32],
            published_at_us: 0,
        };
        let mut unsigned = self.unsigned(&row, spooled.finish()?)?;
        unsigned.lint(scope, &PLACEHOLDER)?;
        (self.on_step)(Step::Linted);
        let signature = self.sign(&mut unsigned)?;
        unsigned.read_back(&signature)?;
        unsigned.lint(scope, &signature)?;
        (self.on_step)(Step::Signed);
        self.store(row, &mut unsigned, &signature)
    }

    /// The entries of a complete or partitioned CRL.
    fn spool_whole(
        &self,
        spooled: &mut EntrySpool<File>,
        scope: CrlScope,
        before: Option<&CrlRow>,
        now_s: i64,
    ) -> Result<u64, PublishError> {
        let which = match scope {
            CrlScope::Partition(number) => Listed::Partition(number),
            _ => Listed::All,
        };
        // RFC 5280 §3.3: an entry stays until it was on one regularly scheduled CRL past the certificate's end: for an
        // interval, whatever comes in between. What changed since the last one was on none yet, even past its end (§5.2.4).
        let settings = &self.issuer.settings.crl;
        let scheduled_s = now_s - i64::from(settings.interval_s);
        let kept_since_s = match (before, settings.keep_expired_since_s) {
            (None, _) => i64::MIN,
            (Some(before), None) => before.this_update_s.min(scheduled_s),
            (Some(before), Some(since_s)) => before.this_update_s.min(scheduled_s).min(since_s),
        };
        let listed_to = before.map_or(i64::MIN, |before| before.change_number);
        let (mut partition, mut serial) = match which {
            Listed::Partition(number) => (number, Vec::new()),
            Listed::All => (0, Vec::new()),
        };
        let mut entries = 0;
        loop {
            let page = self.registry.store().listed(self.issuer.row.id, which, (partition, &serial), PAGE)?;
            let is_last = page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
            for row in &page {
                let is_new = row.change_number > listed_to || row.changed_at_us / 1_000_000 >= scheduled_s;
                if row.not_after_s >= kept_since_s || is_new {
                    entries += self.push(spooled, row)?;
                }
            }
            (self.on_step)(Step::Read(entries));
            if let Some(last) = page.into_iter().next_back() {
                (partition, serial) = (last.partition, last.serial);
            }
            if is_last {
                return Ok(entries);
            }
        }
    }

    /// The entries of a delta: all that changed since its base, whatever their end.
    ///
    /// A certificate that changes while this reads comes again, with a number above `noted`: it stays as it was read first,
    /// and waits for the next delta with what it has become.
    fn spool_delta(&self, spooled: &mut EntrySpool<File>, since: i64, noted: i64) -> Result<u64, PublishError> {
        let (mut number, mut serial) = (since, PAST_EVERY_SERIAL.to_vec());
        let (mut entries, mut read, hasher) = (0, HashSet::new(), RandomState::new());
        loop {
            let page = self.registry.store().listed_changes(self.issuer.row.id, (number, &serial), PAGE)?;
            let is_last = page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
            for row in &page {
                // Eight octets of a keyed hash an entry, of which only what changed meanwhile is asked.
                if read.insert(hasher.hash_one(&row.serial)) || row.change_number <= noted {
                    entries += self.push(spooled, row)?;
                }
            }
            (self.on_step)(Step::Read(entries));
            if let Some(last) = page.into_iter().next_back() {
                (number, serial) = (last.change_number, last.serial);
            }
            if is_last {
                return Ok(entries);
            }
        }
    }

    /// Adds an entry; one whose serial number no CRL can list is left out and told of, and the others are listed.
    fn push(&self, spooled: &mut EntrySpool<File>, row: &ListedRow) -> Result<u64, PublishError> {
        match spooled.push(&entry(row)) {
            Ok(()) => Ok(1),
            Err(BuildError::SerialNumber { serial }) => {
                let serial = hex::encode(serial);
                tracing::error!(
                    issuer = self.issuer.row.name,
                    serial,
                    "a revoked certificate can't be listed: its serial number is none"
                );
                Ok(0)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn unsigned(&self, row: &CrlRow, entries: SpooledEntries<File>) -> Result<Unsigned, PublishError> {
        let certificate = &self.issuer.certificate;
        let algorithm = certificate.public_key.algorithm().default_signature();
        let number = |number: i64| u64::try_from(number).map(CrlNumber::from).map_err(|_| PublishError::Count);
        let settings = &self.issuer.settings.crl;
        let freshest = match row.scope {
            CrlScope::Complete if settings.delta_interval_s > 0 && settings.names_delta => {
                vec![DistributionPoint::from_uri(&self.urls.delta_crl())?]
            }
            _ => Vec::new(),
        };
        let point = match row.scope {
            CrlScope::Partition(number) => {
                let urls = self.urls.clone().in_partition(number);
                let url = urls.crl_partition.map(|(_, url)| url).unwrap_or_default();
                // RFC 5280 §5.2.5: fullName is what stands in the certificates; CA certificates are in no partition.
                Some(IssuingDistributionPoint {
                    only_contains: OnlyContains::UserCerts,
                    ..IssuingDistributionPoint::from_uri(&url)?
                })
            }
            _ => None,
        };
        let fields = CrlFields {
            issuer: certificate.subject_der.clone(),
            signature_algorithm: algorithm.x509_identifier_der()?,
            this_update_s: row.this_update_s,
            next_update_s: row.next_update_s,
            authority_key_identifier: certificate
                .subject_key_identifier
                .clone()
                .unwrap_or_else(|| certificate.public_key.key_identifier().to_vec()),
            crl_number: number(row.number)?,
            base_crl_number: row.base_number.map(number).transpose()?,
            issuing_distribution_point: point,
            freshest_crl: freshest,
            expired_certs_on_crl_s: settings.keep_expired_since_s.filter(|_| row.scope != CrlScope::Delta),
        };
        let mut tbs = TbsCertList::new(&fields, entries)?;
        let mut file = BufWriter::with_capacity(CRL_CHUNK, tempfile::tempfile().map_err(spool)?);
        let mut context = Context::new(algorithm.digest().implementation());
        tbs.write_tbs(&mut Tee { file: &mut file, context: &mut context })?;
        let file = file.into_inner().map_err(|error| spool(error.into_error()))?;
        Ok(Unsigned { tbs, file, digest: context.finish(), algorithm })
    }

    /// Has the key sign, and holds the signature against the issuer's certificate.
    fn sign(&self, unsigned: &mut Unsigned) -> Result<Vec<u8>, PublishError> {
        let Unsigned { tbs, file, digest, algorithm } = unsigned;
        let key = &self.issuer.certificate.public_key;
        if *algorithm == SignatureAlgorithm::Ed25519 {
            let octets = tbs.tbs_octets();
            if octets > MAX_MESSAGE {
                return Err(PublishError::TooLong { issuer: self.issuer.row.name.clone(), octets });
            }
            let mut message = Vec::new();
            file.rewind().and_then(|()| file.read_to_end(&mut message)).map_err(spool)?;
            let signature = self.signer.sign(*algorithm, &message)?;
            key.verify(*algorithm, &message, &signature)?;
            return Ok(signature);
        }
        let signature = self.signer.sign_digest(*algorithm, digest)?;
        key.verify_digest(*algorithm, digest, &signature)?;
        Ok(signature)
    }

    /// Stages the octets and publishes them with their record.
    fn store(&self, mut row: CrlRow, unsigned: &mut Unsigned, signature: &[u8]) -> Result<CrlRow, PublishError> {
        let store = self.registry.store();
        let mut context = Context::new(DigestAlgorithm::Sha256.implementation());
        let mut chunk = vec![0; CRL_CHUNK];
        let mut octets = 0_u64;
        each_chunk(&mut unsigned.whole(signature)?, &mut chunk, |chunk| {
            context.update(chunk);
            octets += u64::try_from(chunk.len()).unwrap_or(0);
            Ok(())
        })?;
        row.octets = i64::try_from(octets).map_err(|_| PublishError::Count)?;
        row.sha256.copy_from_slice(context.finish().as_ref());
        row.id = store.stage_crl(&row)?;
        (self.on_step)(Step::Staged);
        let published = self.publish_staged(&row, unsigned, signature, &mut chunk);
        if published.is_err()
            && let Err(error) = store.discard_crl(row.id)
        {
            tracing::warn!(%error, number = row.number, "a staged CRL could not be removed; it is swept away later");
        }
        published.map(|()| row)
    }

    fn publish_staged(
        &self,
        row: &CrlRow,
        unsigned: &mut Unsigned,
        signature: &[u8],
        chunk: &mut [u8],
    ) -> Result<(), PublishError> {
        let store = self.registry.store();
        let (mut position, mut stored) = (0, 0_u64);
        each_chunk(&mut unsigned.whole(signature)?, chunk, |chunk| {
            store.put_crl_chunk(row.id, position, chunk)?;
            position += 1;
            stored += u64::try_from(chunk.len()).unwrap_or(0);
            (self.on_step)(Step::Stored(stored));
            Ok(())
        })?;
        self.registry.record(
            "crl-published",
            json!({
                "issuer": self.issuer.row.name, "scope": row.scope.name(), "number": row.number,
                "base_number": row.base_number, "change_number": row.change_number, "entries": row.entries,
                "octets": row.octets, "this_update_s": row.this_update_s, "next_update_s": row.next_update_s,
                "sha256": hex::encode(row.sha256), "key": self.key_name, "who": self.who,
            }),
            Change::PublishCrl { crl_id: row.id },
        )?;
        (self.on_step)(Step::Published);
        Ok(())
    }
}

impl Unsigned {
    /// The CertificateList with this signature.
    fn whole<'a>(&'a mut self, signature: &[u8]) -> Result<impl Read + use<'a>, PublishError> {
        self.file.rewind().map_err(spool)?;
        let prefix = Cursor::new(self.tbs.prefix(signature.len()));
        Ok(prefix.chain(&self.file).chain(Cursor::new(self.tbs.suffix(signature))))
    }

    /// Held against RFC 5280; what public CAs must do beyond is theirs to choose (`noonmark crl lint`).
    fn lint(&mut self, scope: CrlScope, signature: &[u8]) -> Result<(), PublishError> {
        let reader = Reader::from_read(self.whole(signature)?, MAX_ENTRIES, |_: &[u8]| {})?;
        let findings = match scope {
            CrlScope::Delta => lint(reader, Profile::Rfc5280),
            // Read in the order of partition and serial number, in which none comes twice.
            CrlScope::Complete | CrlScope::Partition(_) => lint_unique(reader, Profile::Rfc5280),
        };
        let findings: Vec<Finding> =
            findings.into_iter().filter(|finding| finding.severity == Severity::Error).collect();
        if findings.is_empty() { Ok(()) } else { Err(PublishError::Lint { findings }) }
    }

    /// Reads what was made as a client does, and holds its signed octets against those that were signed.
    fn read_back(&mut self, signature: &[u8]) -> Result<(), PublishError> {
        let mut context = Context::new(self.algorithm.digest().implementation());
        let digest = self.digest;
        let crl =
            Reader::from_read(self.whole(signature)?, MAX_ENTRIES, |octets: &[u8]| context.update(octets))?.finish()?;
        if context.finish().as_ref() == digest.as_ref() && crl.signature == signature {
            Ok(())
        } else {
            Err(PublishError::Changed)
        }
    }
}

/// A certificate's entry; one that came back from a hold leaves the CRL.
fn entry(row: &ListedRow) -> EntryFields<'_> {
    let changed_at_s = row.changed_at_us / 1_000_000;
    let reason = match row.state {
        CertificateState::Held => Some(ReasonCode::CertificateHold),
        // What came from elsewhere may have any number; in a list of the revoked this one would say the opposite.
        CertificateState::Revoked => row
            .reason
            .and_then(|reason| ReasonCode::try_from(reason).ok())
            .filter(|reason| *reason != ReasonCode::RemoveFromCrl),
        CertificateState::Good | CertificateState::Intended => Some(ReasonCode::RemoveFromCrl),
    };
    EntryFields {
        reason,
        invalidity_date_s: row.invalidity_s,
        ..EntryFields::new(&row.serial, row.revoked_at_s.unwrap_or(changed_at_s))
    }
}

/// Hands out all that is read in chunks of the buffer's size, the last one shorter.
fn each_chunk(
    read: &mut impl Read,
    buffer: &mut [u8],
    mut each: impl FnMut(&[u8]) -> Result<(), PublishError>,
) -> Result<(), PublishError> {
    loop {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match read.read(rest) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(spool(error)),
            }
        }
        if filled == 0 {
            return Ok(());
        }
        each(buffer.get(..filled).unwrap_or_default())?;
    }
}

/// Writes to a file and a digest at once.
struct Tee<'a, W> {
    file: &'a mut W,
    context: &'a mut Context,
}

impl<W: Write> Write for Tee<'_, W> {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.file.write_all(octets)?;
        self.context.update(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}
