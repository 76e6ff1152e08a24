//! Past signature validation (EN 319 102-1 §5.6.2.4): a signature that does not hold now, by proofs that it existed while it
//! did.

use std::sync::Arc;

use super::super::certificate::Certificate;
use super::super::existence::{ProofsOfExistence, ProvenBy};
use super::super::policy::Reliability;
use super::{Conclusion, Role, SubIndication, Validator};
use crate::clock::rfc3339;

/// A signature, or token, of the past.
pub(super) struct Past<'p> {
    /// The certificate of whoever made it.
    pub(super) certificate: &'p Arc<Certificate>,
    /// Whose it is.
    pub(super) role: Role,
    /// Its name among the proofs.
    pub(super) sha256: &'p [u8; 32],
    /// The least of what its algorithms are reliable until.
    pub(super) reliability: Reliability,
}

impl Validator<'_> {
    /// PASSED where the signature is proven to have existed while its certificate was good and its algorithms reliable;
    /// `current` otherwise, with what is missing.
    pub(super) fn past_signature(
        &mut self,
        past: &Past<'_>,
        current: &Conclusion,
        proofs: &ProofsOfExistence,
    ) -> Conclusion {
        let proof = proofs.earliest(past.sha256);
        if proof.by == ProvenBy::Presence {
            // Nothing is known of another time, and for this one it does not hold. That it is here is told by this clock alone.
            return current.clone();
        }
        let proven_s = proof.time_s;
        let certificate = past.certificate;
        let still =
            |missing: String| Conclusion { reason: format!("{}; {missing}", current.reason), ..current.clone() };
        if proven_s < certificate.not_before_s() {
            let (at, from) = (rfc3339(proven_s), rfc3339(certificate.not_before_s()));
            let reason = format!("it existed at {at}, and its certificate is valid only from {from} on");
            return Conclusion::failed(SubIndication::NotYetValid, reason);
        }
        let found = match self.past_certificate(certificate, past.role, proven_s, proofs) {
            Ok(found) => found,
            Err(conclusion) => return still(format!("looked at in the past: {}", conclusion.reason)),
        };
        if proven_s > found.control_s {
            let (at, until) = (rfc3339(proven_s), rfc3339(found.control_s));
            return still(format!(
                "its chain is known to have held until {until}, and it is proven to exist since {at}"
            ));
        }
        // RFC 5280 §6.1.3 (a)(2): the whole chain was valid then, not its last certificate alone. What was issued anew since
        // may begin later.
        let ends = found.chain.links.iter().map(|link| link.certificate.not_after_s());
        let end_s = ends.fold(certificate.not_after_s(), i64::min);
        if proven_s > end_s {
            let (at, until) = (rfc3339(proven_s), rfc3339(end_s));
            return still(format!(
                "it is proven to exist since {at}, after its certificate's chain had ended at {until}"
            ));
        }
        if !past.reliability.holds_at(proven_s) {
            return still(format!(
                "it is proven to exist since {}, when its algorithms were not relied on",
                rfc3339(proven_s)
            ));
        }
        debug_assert!(found.chain.links.last().is_none_or(|link| link.certificate == *certificate));
        Conclusion::passed()
    }
}
