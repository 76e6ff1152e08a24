//! Counter-signatures (RFC 5652 §11.4): signatures over a signer's signature, and over each other.

use std::borrow::Cow;

use super::super::budget::{Budget, Costs};
use super::super::evidence::Evidence;
use super::attribute::UnsignedAttribute;
use super::fault::CmsError;
use super::signed_data::SignedData;
use super::signer_info::SignerInfo;
use super::verification::{Given, Run, Signed, SignerVerification};

/// Counter-signatures of one signer that are looked at, those over others included: documents have up to a dozen.
const MAX_COUNTER_SIGNATURES: usize = 64;
/// Counter-signatures over each other: a notary's over a signer's, an archive's over the notary's, and two more.
const MAX_DEPTH: usize = 4;

/// What is found out about one counter-signature.
#[derive(Clone, Debug)]
pub struct CounterSignatureVerification<'a> {
    /// The place in the list of the counter-signature that this one is over; `None` where it is over the signer's signature.
    pub over: Option<usize>,
    /// How many signatures it is away from the signer's: 1 where it is over that.
    pub depth: usize,
    /// The verification; an error where it can't be read, or is one too many.
    pub verification: Result<SignerVerification<'a, 'a>, CmsError>,
}

impl CounterSignatureVerification<'_> {
    /// Whether the signature holds. What it is over need not: a counter-signature vouches for octets.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.verification.as_ref().is_ok_and(SignerVerification::holds)
    }
}

impl<'a> SignedData<'a> {
    /// Verifies the counter-signatures of a signer, and those over them: each directly before those that are over it.
    /// Certificates are looked for as [`Self::verify`] does; that the signer's own signature holds is not asked.
    ///
    /// `limits.signatures` bounds how many are verified in all. Where there are more counter-signatures than are looked at,
    /// or deeper ones, the list says so.
    #[must_use]
    pub fn counter_signatures(
        &self,
        signer: &SignerInfo<'a>,
        evidence: &Evidence,
        limits: Costs,
    ) -> Vec<CounterSignatureVerification<'a>> {
        let mut walk = Walk { evidence, budget: Budget::new(limits), found: Vec::new(), full: false };
        walk.over(signer, None, 1);
        walk.found
    }
}

struct Walk<'r, 'a> {
    evidence: &'r Evidence,
    budget: Budget,
    found: Vec<CounterSignatureVerification<'a>>,
    full: bool,
}

impl<'a> Walk<'_, 'a> {
    /// The counter-signatures over this signature.
    fn over(&mut self, signer: &SignerInfo<'a>, over: Option<usize>, depth: usize) {
        for attribute in signer.unsigned() {
            let UnsignedAttribute::CounterSignature(value) = attribute else { continue };
            if self.full {
                return;
            }
            let too_many = |what: &'static str, limit: usize| Err(CmsError::TooMany { what, limit });
            if self.found.len() == MAX_COUNTER_SIGNATURES {
                self.full = true;
                let verification = too_many("counter-signatures", MAX_COUNTER_SIGNATURES);
                self.found.push(CounterSignatureVerification { over, depth, verification });
                return;
            }
            if depth > MAX_DEPTH {
                let verification = too_many("counter-signatures over each other", MAX_DEPTH);
                self.found.push(CounterSignatureVerification { over, depth, verification });
                return;
            }
            let verification = SignerInfo::from_der(value).map(|counter| self.verify(counter, signer));
            let own = verification.as_ref().ok().map(|found| found.signer.clone());
            let at = self.found.len();
            self.found.push(CounterSignatureVerification { over, depth, verification });
            if let Some(counter) = own {
                self.over(&counter, Some(at), depth + 1);
            }
        }
    }

    /// RFC 5652 §11.4: the digest is of the contents octets of the signature that is countersigned.
    fn verify(&mut self, counter: SignerInfo<'a>, signer: &SignerInfo<'a>) -> SignerVerification<'a, 'a> {
        let given = Ok(Given::Octets(signer.signature));
        let mut run = Run::new(Signed::Signature, given, self.evidence, self.budget);
        let found = run.signer(Cow::Owned(counter));
        self.budget = run.budget;
        found
    }
}
