//! Signatures that were verified in a judgement, so that no pair of message and key is verified twice.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::budget::{Budget, BudgetExhausted, Resource};
use super::super::certificate::Certificate;
use super::super::signature::{AlgorithmPolicy, SignatureAlgorithm, SignatureError, VerificationKey};
use super::fault::Fault;

/// What was verified, by where the signed octets' owner lies in memory, which the evidence holds for as long as the judgement,
/// and by the key's SubjectPublicKeyInfo: cross-certificates repeat keys.
#[derive(Default)]
pub(crate) struct SignatureMemory {
    verified: HashMap<(usize, [u8; 32]), Result<(), SignatureError>>,
    /// Certificates that are not in the evidence: no other may come to lie where they do.
    kept: HashMap<usize, Arc<Certificate>>,
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
        let owner = std::ptr::from_ref(certificate).addr();
        let (message, signature) = (certificate.tbs_der(), certificate.signature());
        let verified = self.verify_octets(owner, key, algorithm, message, signature, budget)?;
        Ok(verified.map_err(Fault::Signature))
    }

    /// Verifies a signature over octets that `owner`, an address, stands for.
    pub(crate) fn verify_octets(
        &mut self,
        owner: usize,
        key: &VerificationKey,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
        budget: &mut Budget,
    ) -> Result<Result<(), SignatureError>, BudgetExhausted> {
        let name = (owner, *key.spki_sha256());
        if let Some(known) = self.verified.get(&name) {
            return Ok(*known);
        }
        budget.spend(Resource::Signatures, 1)?;
        let verified = key.verify(algorithm, message, signature);
        self.verified.insert(name, verified);
        Ok(verified)
    }
}
