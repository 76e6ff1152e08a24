//! Ordering a certificate's chain, leaf to root.

use super::certificate::Certificate;

/// Longer than any chain in use; bounds the walk over what an operator imports.
const MAX_LENGTH: usize = 8;

/// A chain that does not reach a root.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// No certificate at hand signed this one.
    #[error("no certificate at hand issued {subject}; import its issuer's certificate with it")]
    IssuerMissing {
        /// The subject whose issuer is missing.
        subject: String,
    },
    /// More certificates than a chain may have.
    #[error("the chain is longer than {MAX_LENGTH} certificates")]
    TooLong,
}

/// The chain from `leaf` to its root, both included, among `candidates`; every signature is verified.
///
/// # Errors
/// A missing issuer, or a chain without end.
pub fn order(leaf: &Certificate, candidates: &[Certificate]) -> Result<Vec<Certificate>, ChainError> {
    let mut chain = vec![leaf.clone()];
    loop {
        let last = &chain[chain.len() - 1];
        if last.is_self_issued() && last.is_signed_by(last) {
            return Ok(chain);
        }
        if chain.len() == MAX_LENGTH {
            return Err(ChainError::TooLong);
        }
        let is_ca = |candidate: &&Certificate| candidate.basic_constraints.is_some_and(|(ca, _)| ca);
        let issuer = candidates.iter().filter(is_ca).find(|candidate| last.is_signed_by(candidate));
        let issuer = issuer.ok_or_else(|| ChainError::IssuerMissing { subject: last.subject() })?.clone();
        chain.push(issuer);
    }
}
