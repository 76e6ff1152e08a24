//! Signatures that were verified in a judgement, so that no pair of message and key is verified twice.

use std::collections::HashMap;

use super::super::budget::{Budget, BudgetExhausted, Resource};
use super::super::certificate::Certificate;
use super::super::signature::{AlgorithmPolicy, SignatureAlgorithm, SignatureError, VerificationKey};
use super::fault::Fault;
use super::validation::WorkingKey;

/// What was verified, by where certificate and key lie in memory: the evidence holds both for as long as the judgement.
#[derive(Default)]
pub(crate) struct SignatureMemory {
    verified: HashMap<(usize, usize), Result<(), SignatureError>>,
}

fn address<T>(of: &T) -> usize {
    std::ptr::from_ref(of).addr()
}

impl SignatureMemory {
    /// Verifies a certificate under the key above it (§6.1.3 (a)(1)).
    pub(crate) fn verify(
        &mut self,
        certificate: &Certificate,
        key: &WorkingKey<'_>,
        algorithms: &dyn AlgorithmPolicy,
        budget: &mut Budget,
    ) -> Result<Result<(), Fault>, BudgetExhausted> {
        let algorithm = match certificate.signature_algorithm() {
            Ok(algorithm) => algorithm,
            Err(error) => return Ok(Err(Fault::Algorithm(error))),
        };
        let key_algorithm = key.key().algorithm();
        if !algorithms.permits(algorithm, key_algorithm) {
            return Ok(Err(Fault::AlgorithmNotPermitted { signature: algorithm, key: key_algorithm }));
        }
        let (message, signature) = (certificate.tbs_der(), certificate.signature());
        let verified = match key {
            // A key with inherited parameters is made anew for each path, so its address says nothing.
            WorkingKey::Inheriting(key) => {
                budget.spend(Resource::Signatures, 1)?;
                key.verify(algorithm, message, signature)
            }
            WorkingKey::Own(key) => {
                self.verify_octets(address(certificate), key, algorithm, message, signature, budget)?
            }
        };
        Ok(verified.map_err(Fault::Signature))
    }

    /// Verifies a signature over octets that `name`, an address, stands for.
    pub(crate) fn verify_octets(
        &mut self,
        name: usize,
        key: &VerificationKey,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
        budget: &mut Budget,
    ) -> Result<Result<(), SignatureError>, BudgetExhausted> {
        if let Some(known) = self.verified.get(&(name, address(key))) {
            return Ok(*known);
        }
        budget.spend(Resource::Signatures, 1)?;
        let verified = key.verify(algorithm, message, signature);
        self.verified.insert((name, address(key)), verified);
        Ok(verified)
    }
}
