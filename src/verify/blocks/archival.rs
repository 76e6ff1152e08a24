//! Validation of signatures with archival data (EN 319 102-1 §5.6.3): timestamps from the latest back, each by the proofs
//! that later ones give, and then the signature by all of them.

use std::sync::Arc;

use super::super::certificate::Certificate;
use super::super::cms::{Coverage, UnsignedAttribute};
use super::super::existence::{Proof, ProvenBy};
use super::super::signature::Digest;
use super::super::timestamp::{Stamped, TimestampToken};
use super::past_signature::Past;
use super::signature::Case;
use super::timestamp::reliable_at;
use super::{Conclusion, Role, SignatureValidation, TimestampKind, TimestampValidation, Validator};

/// Archive timestamps of one signature that are judged: one a year, for longer than any algorithm lasts.
const MAX_ARCHIVE_TIMESTAMPS: usize = 64;

/// Everything that a timestamp covers.
fn covered(coverage: &Coverage, signature: &[u8; 32]) -> Vec<[u8; 32]> {
    let sets = [
        &coverage.certificates,
        &coverage.crls,
        &coverage.ocsp_responses,
        &coverage.timestamps,
        &coverage.counter_signatures,
    ];
    let own = coverage.signature.then_some(*signature);
    sets.into_iter().flatten().copied().chain(own).collect()
}

/// An archive timestamp among a signature's timestamps, and what it proves (§5.6.2.3).
pub(super) struct Archived {
    /// Its place among the signature's timestamps.
    at: usize,
    /// The SHA-256 of everything that it covers.
    covered: Vec<[u8; 32]>,
}

impl Validator<'_> {
    /// Judges the archive timestamps of a signature by themselves.
    pub(super) fn archive_timestamps(
        &mut self,
        case: &Case<'_, '_, '_>,
        validation: &mut SignatureValidation,
    ) -> Vec<Archived> {
        let mut archived = Vec::new();
        for attribute in case.verification.signer.unsigned() {
            let (der, is_v3) = match attribute {
                UnsignedAttribute::ArchiveTimestampV3(der) => (der, true),
                UnsignedAttribute::ArchiveTimestampV2(der) => (der, false),
                _ => continue,
            };
            if archived.len() == MAX_ARCHIVE_TIMESTAMPS {
                validation.checks.warned("timestamps", "archive timestamps more than are judged are left out");
                break;
            }
            let kind = TimestampKind::Archive;
            let token = match TimestampToken::from_der(der) {
                Ok(token) => token,
                Err(error) => {
                    validation.checks.warned(kind.name(), format!("it can't be read: {error}"));
                    continue;
                }
            };
            let (data, signer, digest) = (case.data, &case.verification.signer, token.imprint_digest);
            let archive = match is_v3 {
                true => data.archive_timestamp_v3(signer, case.content, &token.signed_data, digest),
                false => data.archive_timestamp_v2(signer, case.content, &token.signed_data, digest),
            };
            match archive {
                Ok(archive) => {
                    let own = archive.imprints.iter().find(|imprint| *imprint == token.imprint);
                    let value = own.or(archive.imprints.first()).map(Vec::as_slice).unwrap_or_default();
                    let at = validation.timestamps.len();
                    let mut timestamp = self.validate_timestamp(der, &token, kind, Stamped::Digest { digest, value });
                    if let Some(index) = archive.index_digest {
                        self.index_algorithm(index, &mut timestamp);
                    }
                    validation.timestamps.push(timestamp);
                    archived.push(Archived { at, covered: covered(&archive.coverage, &validation.signature_sha256) });
                }
                Err(error) => validation.checks.warned(kind.name(), format!("it proves nothing: {error}")),
            }
        }
        archived
    }

    /// The digest of an archive timestamp's index is relied on as its imprint's is.
    fn index_algorithm(&self, index: Digest, timestamp: &mut TimestampValidation) {
        let reliability = self.context.policy.suites.digest_reliable_until(index);
        timestamp.reliability = timestamp.reliability.min(reliability);
        let words = format!("the index by {}", index.name());
        let conclusion = reliable_at(reliability, self.context.time_s, &words);
        if !conclusion.is_passed() {
            timestamp.checks.concluded("algorithms", &conclusion, "");
            if timestamp.is_passed() {
                timestamp.conclusion = conclusion;
            }
        }
    }

    /// Judges a signature that does not hold at its best signature time, by proofs of existence.
    pub(super) fn with_archival_data(
        &mut self,
        case: &Case<'_, '_, '_>,
        signer: &Arc<Certificate>,
        with_time: Conclusion,
        archived: &[Archived],
        validation: &mut SignatureValidation,
    ) -> Conclusion {
        let signature = validation.signature_sha256;
        let of_signature = covered(&Coverage::of_signature(&case.verification.signer), &signature);
        let mut proofs = self.presence();
        let mut order: Vec<usize> = (0..validation.timestamps.len()).collect();
        order.sort_by_key(|at| std::cmp::Reverse(validation.timestamps.get(*at).map(|one| one.gen_time_s)));
        for at in order {
            let Some(timestamp) = validation.timestamps.get_mut(at) else { continue };
            if timestamp.conclusion.may_be_settled_by_time()
                && let Some(unit) = timestamp.verification.certificate.clone()
            {
                let past = Past {
                    certificate: &unit,
                    role: Role::TimestampingUnit,
                    sha256: &timestamp.sha256,
                    reliability: timestamp.reliability,
                };
                let conclusion = self.past_signature(&past, &timestamp.conclusion, &proofs);
                let sentence = "timestamps that cover it prove that it existed while its certificate was good";
                timestamp.checks.concluded("past-signature", &conclusion, sentence);
                timestamp.conclusion = conclusion;
            }
            if timestamp.is_passed() {
                let proof = Proof { time_s: timestamp.gen_time_s, by: ProvenBy::Timestamp(timestamp.sha256) };
                match timestamp.kind {
                    TimestampKind::Signature => proofs.add(proof, &of_signature),
                    TimestampKind::Archive => {
                        let covered = archived.iter().find(|one| one.at == at).map(|one| one.covered.as_slice());
                        proofs.add(proof, covered.unwrap_or_default());
                    }
                    TimestampKind::Content | TimestampKind::Data => {}
                }
            }
        }
        let best = proofs.earliest(&signature);
        if best != validation.best_signature_time {
            // Timestamps that did not hold by themselves do by their archive.
            validation.best_signature_time = best;
            let again = self.with_time(case, signer, &with_time, validation);
            if !again.may_be_settled_by_time() {
                return again;
            }
        }
        let past = Past { certificate: signer, role: Role::Signer, sha256: &signature, reliability: case.reliability };
        let conclusion = self.past_signature(&past, &with_time, &proofs);
        let sentence = "timestamps prove that it existed while the signer's certificate was good";
        validation.checks.concluded("past-signature", &conclusion, sentence);
        if conclusion.is_passed() { self.times(validation) } else { conclusion }
    }
}
