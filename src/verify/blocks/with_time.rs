//! Validation of signatures with time (EN 319 102-1 §5.5): what holds at the time that a timestamp proves.

use std::sync::Arc;

use super::super::certificate::Certificate;
use super::super::existence::ProvenBy;
use super::super::policy::Constraint;
use super::checked::Constraints;
use super::signature::Case;
use super::timestamp::{first_failing, reliable_at, told};
use super::{Conclusion, Role, SignatureValidation, SubIndication, TimestampKind, Validator};
use crate::clock::rfc3339;

impl Validator<'_> {
    /// Judges a signature whose basic validation is PASSED, or INDETERMINATE for a reason that time may settle, at its best
    /// signature time.
    pub(super) fn with_time(
        &mut self,
        case: &Case<'_, '_, '_>,
        signer: &Arc<Certificate>,
        validation: &mut SignatureValidation,
    ) -> Conclusion {
        let best = validation.best_signature_time;
        let is_proven = best.by != ProvenBy::Presence;
        // §5.5.4, 5): a signature that provably is older than its certificate was made without it.
        if is_proven && best.time_s < signer.not_before_s() {
            let (at, from) = (rfc3339(best.time_s), rfc3339(signer.not_before_s()));
            let reason =
                format!("the signature existed at {at}, and the signer's certificate is valid only from {from} on");
            let conclusion = Conclusion::failed(SubIndication::NotYetValid, reason);
            validation.checks.concluded("chain", &conclusion, "");
            return conclusion;
        }
        if let Some((block, conclusion)) = self.provably_late(case, signer, validation) {
            validation.checks.concluded(block, &conclusion, "");
            return conclusion;
        }
        let chain = self.chain_at(signer, best.time_s, is_proven, validation);
        validation.checks.concluded(
            "chain",
            &chain,
            "the signer's certificate has a chain to a trust anchor that holds",
        );
        let words = match (case.verification.algorithm, validation.key) {
            (Some(algorithm), Some(key)) => format!("{algorithm} with {key}"),
            _ => "the signature's algorithm".to_owned(),
        };
        let algorithms = reliable_at(case.reliability, best.time_s, &words);
        validation.checks.concluded("algorithms", &algorithms, format!("{words}: reliable by the policy"));
        first_failing(&[chain, algorithms])
    }

    /// The chain at the best signature time, which becomes the one that the verdict rests on where it holds.
    fn chain_at(
        &mut self,
        signer: &Arc<Certificate>,
        best_s: i64,
        is_proven: bool,
        validation: &mut SignatureValidation,
    ) -> Conclusion {
        let now = self.validate_certificate(signer, Role::Signer);
        if now.conclusion.is_passed() || !is_proven || !now.conclusion.may_be_settled_by_time() {
            return now.conclusion.clone();
        }
        let then = self.certificate_at(signer, Role::Signer, best_s);
        if then.conclusion.is_passed() {
            validation.certificate = Some(Arc::new(then));
            return Conclusion::passed();
        }
        now.conclusion.clone()
    }

    /// §5.3.4: a content timestamp is older than the signature. Where it is younger than the certificate's end, than its
    /// revocation, or than the end of an algorithm, the signature provably came too late.
    fn provably_late(
        &mut self,
        case: &Case<'_, '_, '_>,
        signer: &Arc<Certificate>,
        validation: &SignatureValidation,
    ) -> Option<(&'static str, Conclusion)> {
        let holding = validation.timestamps.iter().filter(|one| one.kind == TimestampKind::Content && one.is_passed());
        let latest = holding.max_by_key(|one| one.gen_time_s)?;
        let words = told(latest);
        let now = self.validate_certificate(signer, Role::Signer);
        let revoked = now.revocation.as_ref().filter(|one| one.revocation_date_s <= latest.gen_time_s);
        if let Some(revocation) = revoked.filter(|_| now.conclusion.sub_indication == Some(SubIndication::RevokedNoPoe))
        {
            let since = rfc3339(revocation.revocation_date_s);
            let reason = format!(
                "the content was stamped {words} before it was signed, and the signer's certificate is revoked since {since}"
            );
            return Some(("chain", Conclusion::failed(SubIndication::Revoked, reason)));
        }
        if latest.gen_time_s > signer.not_after_s() {
            let until = rfc3339(signer.not_after_s());
            let reason = format!(
                "the content was stamped {words} before it was signed, and the signer's certificate was valid until {until}"
            );
            return Some(("chain", Conclusion::failed(SubIndication::Expired, reason)));
        }
        if !case.reliability.holds_at(latest.gen_time_s) {
            let reason = format!(
                "the content was stamped {words} before it was signed, when the policy relied on the signature's algorithms no more"
            );
            let conclusion = Conclusion::indeterminate(SubIndication::CryptoConstraintsFailure, reason);
            return Some(("algorithms", conclusion));
        }
        None
    }

    /// §5.5.4, 5) d) and f): the order of the timestamps, and the delay of the first.
    pub(super) fn times(&self, validation: &mut SignatureValidation) -> Conclusion {
        let policy = self.context.policy;
        let times = |kind: TimestampKind| {
            let holding = validation.timestamps.iter().filter(move |one| one.kind == kind && one.is_passed());
            holding.map(|one| one.gen_time_s)
        };
        let last_content = times(TimestampKind::Content).max();
        let first_signature = times(TimestampKind::Signature).min();
        let first_archive = times(TimestampKind::Archive).min();
        let last_signature = times(TimestampKind::Signature).max();
        let follows =
            |earlier: Option<i64>, later: Option<i64>| earlier.zip(later).is_none_or(|(one, other)| one <= other);
        // An archive timestamp covers the signature timestamps that are there when it is made; one that was added later is
        // not covered, and younger.
        let in_order = follows(last_content, first_signature)
            && follows(last_content, first_archive)
            && follows(first_signature, first_archive);
        let late = first_signature.is_some_and(|time_s| {
            let claimed = validation.claimed_signing_time_s;
            let most = policy.timestamps_trusted.max_delay_s;
            claimed.zip(most).is_some_and(|(claimed_s, most_s)| time_s.saturating_sub(claimed_s) > most_s)
        });
        let (has_signature, has_content) = (last_signature.is_some(), last_content.is_some());
        let levels = &policy.levels;
        let checks = &mut validation.checks;
        let order =
            || "content timestamps are older than signature timestamps, and these than archive timestamps".to_owned();
        if let Err(sentence) = checks.constraint(levels, Constraint::TimestampOrder, in_order, order) {
            return Conclusion::indeterminate(SubIndication::TimestampOrderFailure, sentence);
        }
        let mut constraints = Constraints::new(levels, checks);
        let delay = "the signature timestamp follows the claimed signing time soon enough";
        constraints.check(Constraint::TimestampDelay, !late, delay);
        constraints.check(Constraint::SignatureTimestamp, has_signature, "there is a signature timestamp that holds");
        constraints.check(Constraint::ContentTimestamp, has_content, "there is a content timestamp that holds");
        constraints.conclude()
    }
}
