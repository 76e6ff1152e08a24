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
    /// A certificate is not valid at the time asked for.
    #[error("{subject} is not valid at {at_s} s since 1970")]
    NotValid {
        /// Its subject.
        subject: String,
        /// The time.
        at_s: i64,
    },
    /// A CA's certificate that may not sign certificates, or not at this depth.
    #[error("{subject} may not issue what stands below it (keyUsage or pathLenConstraint)")]
    MayNotIssue {
        /// Its subject.
        subject: String,
    },
    /// More certificates than a chain may have.
    #[error("the chain is longer than {MAX_LENGTH} certificates")]
    TooLong,
}

/// Holds an ordered chain against a time and its CAs' own limits (RFC 5280 §6.1.3 a 2, §6.1.4 k to n).
///
/// Policies, name constraints and revocation are the verifier's, not looked at here.
///
/// # Errors
/// The first certificate that is not valid then, or may not issue what it issued.
pub fn check(chain: &[Certificate], at_s: i64) -> Result<(), ChainError> {
    for (depth, certificate) in chain.iter().enumerate() {
        let subject = || certificate.subject();
        if at_s < certificate.not_before_s || at_s > certificate.not_after_s {
            return Err(ChainError::NotValid { subject: subject(), at_s });
        }
        if depth == 0 {
            continue;
        }
        let may_sign = certificate.key_usage.is_none_or(|(usage, _)| usage.key_cert_sign());
        // The certificates between this CA and the leaf, the leaf not counted.
        let intermediates = depth - 1;
        let deep_enough = match certificate.basic_constraints {
            Some((true, limit)) => limit.is_none_or(|limit| intermediates <= usize::from(limit)),
            _ => false,
        };
        if !may_sign || !deep_enough {
            return Err(ChainError::MayNotIssue { subject: subject() });
        }
    }
    Ok(())
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
