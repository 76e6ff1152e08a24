//! Signatures that were verified in a judgement, so that no pair of message and key is verified twice.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::budget::{Budget, BudgetExhausted, Resource};
use super::super::certificate::Certificate;
use super::super::signature::{AlgorithmPolicy, SignatureAlgorithm, SignatureError, VerificationKey, VerifiedUnder};
use super::fault::Fault;

/// What was verified, by where the signed octets' owner lies in memory, which the evidence holds for as long as the judgement,
/// and by the key's SubjectPublicKeyInfo: cross-certificates repeat keys.
#[derive(Default)]
pub(crate) struct SignatureMemory {
    verified: HashMap<(usize, [u8; 32]), Result<(), SignatureError>>,
    /// Certificates that are not in the evidence: no other may come to lie where they do.
    kept: HashMap<usize, Arc<Certificate>>,
}

/// Something that is signed.
pub(crate) struct Signed<'o> {
    /// Where what holds these octets lies in memory.
    pub(crate) owner: usize,
    /// What is signed.
    pub(crate) message: &'o [u8],
    /// The algorithm.
    pub(crate) algorithm: SignatureAlgorithm,
    /// The signature.
    pub(crate) signature: &'o [u8],
    /// What is known of it.
    pub(crate) verified_under: &'o VerifiedUnder,
}

impl SignatureMemory {
    /// Keeps a judged certificate for as long as what is remembered of it.
    pub(crate) fn keep(&mut self, certificate: &Arc<Certificate>) {
        self.kept.insert(std::ptr::from_ref::<Certificate>(certificate).addr(), Arc::clone(certificate));
    }

    /// Verifies a certificate under the key above it (§6.1.3 (a)(1)).
    pub(crate) fn verify(
        &mut self,
        certificate: &Certificate,
        key: &VerificationKey,
        algorithms: &dyn AlgorithmPolicy,
        budget: &mut Budget,
    ) -> Result<Result<(), Fault>, BudgetExhausted> {
        let algorithm = match certificate.signature_algorithm() {
            Ok(algorithm) => algorithm,
            Err(error) => return Ok(Err(Fault::Algorithm(error))),
        };
        if !algorithms.permits(algorithm, key.algorithm()) {
            return Ok(Err(Fault::AlgorithmNotPermitted { signature: algorithm, key: key.algorithm() }));
        }
        let signed = Signed {
            owner: std::ptr::from_ref(certificate).addr(),
            message: certificate.tbs_der(),
            algorithm,
            signature: certificate.signature(),
            verified_under: certificate.verified_under(),
        };
        let verified = self.verify_signed(&signed, key, budget)?;
        Ok(verified.map_err(Fault::Signature))
    }

    /// Verifies a signature. One that is known from an earlier judgement counts like any other: what a judgement may cost
    /// does not depend on what came before.
    pub(crate) fn verify_signed(
        &mut self,
        signed: &Signed<'_>,
        key: &VerificationKey,
        budget: &mut Budget,
    ) -> Result<Result<(), SignatureError>, BudgetExhausted> {
        let Signed { owner, message, algorithm, signature, verified_under } = *signed;
        let name = (owner, *key.spki_sha256());
        if let Some(known) = self.verified.get(&name) {
            return Ok(*known);
        }
        budget.spend(Resource::Signatures, 1)?;
        let verified = verified_under.verify(key, algorithm, message, signature);
        self.verified.insert(name, verified);
        Ok(verified)
    }
}
