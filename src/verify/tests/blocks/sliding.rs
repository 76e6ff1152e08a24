//! Time sliding (EN 319 102-1 §5.6.2.2) step by step, over a chain of a CA and a signer.

use std::sync::Arc;

use crl::ReasonCode;

use super::world::{CA, SIGNER, World, at, policy, revoked};
use crate::crypto::sha256;
use crate::verify::blocks::{Conclusion, Context, Role, SubIndication, Validator};
use crate::verify::policy::Policy;
use crate::verify::signature::AnyAlgorithm;
use crate::verify::{Chain, Evidence, Origin, Proof, ProofsOfExistence, ProvenBy, Settings, judge_certificate};

const NOW: &str = "2026-01-01";

struct Case {
    world: World,
    evidence: Evidence,
    proofs: ProofsOfExistence,
}

impl Case {
    fn new() -> Self {
        let world = World::new();
        let mut evidence = Evidence::new();
        evidence.add_certificate(Arc::clone(&world.ca.certificate), Origin::Held).unwrap();
        Self { world, evidence, proofs: ProofsOfExistence::new(at(NOW)) }
    }

    /// Holds a CRL that is proven to exist since a time.
    fn crl(mut self, crl: &[u8], proven: &str) -> Self {
        self.evidence.add_crl_der(crl, Origin::Held).unwrap();
        self.proofs.add(Proof { time_s: at(proven), by: ProvenBy::Timestamp([1; 32]) }, [&sha256(crl)]);
        self
    }

    /// The CRLs of root and CA.
    fn crls(self, root: (&str, &str), ca: (&str, &str), proven: &str) -> Self {
        let of_root = self.world.root.crl(root.0, root.1, &[]);
        let of_ca = self.world.ca.crl(ca.0, ca.1, &[]);
        self.crl(&of_root, proven).crl(&of_ca, proven)
    }

    /// The signer's certificate is proven to exist since a time.
    fn signer_proven(mut self, proven: &str) -> Self {
        let proof = Proof { time_s: at(proven), by: ProvenBy::Timestamp([1; 32]) };
        self.proofs.add(proof, [self.world.signer.sha256()]);
        self
    }

    fn chain(&self) -> Chain {
        let settings = Settings::new(at("2025-01-01"), self.world.anchors.signers.clone(), &AnyAlgorithm);
        let chain = judge_certificate(&self.world.signer, &self.evidence, &settings).chain.unwrap();
        assert_eq!(chain.links.len(), 2);
        chain
    }

    fn slide(&self, policy: &Policy) -> Result<i64, Conclusion> {
        let anchors = &self.world.anchors;
        let context = Context {
            time_s: at(NOW),
            evidence_until_s: at(NOW),
            evidence: &self.evidence,
            policy,
            anchors,
            kept: None,
        };
        Validator::new(context).slide(&self.chain(), at("2025-01-01"), Role::Signer, &self.proofs)
    }

    #[track_caller]
    fn slides_to(&self, time: &str) {
        assert_eq!(self.slide(Policy::default_policy()), Ok(at(time)));
    }

    #[track_caller]
    fn lacks_a_proof(&self) {
        let conclusion = self.slide(Policy::default_policy()).unwrap_err();
        assert_eq!(conclusion.sub_indication, Some(SubIndication::NoPoe), "{conclusion:?}");
    }
}

const FRESH: (&str, &str) = ("2025-12-31", "2026-01-07");

#[test]
fn fresh_data_leaves_the_time() {
    Case::new().crls(FRESH, FRESH, "2026-01-01").slides_to(NOW);
}

#[test]
fn stale_data_tells_of_its_own_time() {
    Case::new().crls(FRESH, ("2025-06-01", "2025-06-08"), "2025-06-02").slides_to("2025-06-01");
    // The root's first, so that the CA's must have existed by then.
    let stale_root = |proven| Case::new().crls(("2025-06-01", "2025-06-08"), ("2025-05-01", "2025-05-08"), proven);
    stale_root("2025-05-02").signer_proven("2025-05-02").slides_to("2025-05-01");
    stale_root("2025-06-01").signer_proven("2025-05-02").slides_to("2025-05-01");
    stale_root("2025-06-01T00:00:01Z").signer_proven("2025-05-02").lacks_a_proof();
}

#[test]
fn a_certificate_must_be_proven_by_the_time_as_well() {
    let case = || Case::new().crls(("2025-06-01", "2025-06-08"), ("2025-05-01", "2025-05-08"), "2025-05-02");
    case().lacks_a_proof();
    case().signer_proven("2025-06-01").slides_to("2025-05-01");
    case().signer_proven("2025-06-01T00:00:01Z").lacks_a_proof();
}

#[test]
fn data_from_after_the_control_time_does_not_count() {
    // Fresh when it was issued and proven, but after the time that the root's took the control time back to.
    let case = Case::new().crls(("2025-06-01", "2025-06-08"), ("2025-07-01", "2026-01-07"), "2025-01-01");
    case.signer_proven("2025-01-01").lacks_a_proof();
}

#[test]
fn data_that_is_fresh_at_the_control_time_leaves_it() {
    let case = Case::new().crls(("2025-06-05", "2025-06-12"), ("2025-06-01", "2025-06-08"), "2025-06-03");
    case.signer_proven("2025-01-01").slides_to("2025-06-05");
}

#[test]
fn a_revoked_ca_takes_the_time_to_before_its_revocation() {
    let listed = |case: Case, date| {
        let crl = case.world.root.crl(FRESH.0, FRESH.1, &[revoked(CA, Some(ReasonCode::CaCompromise), date)]);
        case.crl(&crl, NOW).signer_proven("2025-01-01")
    };
    let of_ca = |case: Case, proven| {
        let crl = case.world.ca.crl("2025-05-01", "2025-12-31", &[]);
        case.crl(&crl, proven)
    };
    of_ca(listed(Case::new(), "2025-06-01"), "2025-05-02").slides_to("2025-05-31T23:59:59Z");
    of_ca(listed(Case::new(), "2025-06-01"), "2025-06-01").lacks_a_proof();
    of_ca(listed(Case::new(), "2025-05-01"), "2025-04-30").lacks_a_proof();
}

#[test]
fn a_revoked_signer_takes_it_further() {
    let case = Case::new();
    let root = case.world.root.crl(FRESH.0, FRESH.1, &[]);
    let ca = case.world.ca.crl(FRESH.0, FRESH.1, &[revoked(SIGNER, None, "2025-03-01")]);
    case.crl(&root, NOW).crl(&ca, NOW).slides_to("2025-02-28T23:59:59Z");
}

#[test]
fn a_revocation_that_lies_ahead_tells_of_its_crls_time() {
    let ahead = |case: Case, until| {
        let root = case.world.root.crl(FRESH.0, FRESH.1, &[]);
        let ca = case.world.ca.crl("2025-05-01", until, &[revoked(SIGNER, None, "2025-08-01")]);
        case.crl(&root, NOW).crl(&ca, NOW)
    };
    ahead(Case::new(), "2025-05-08").slides_to("2025-05-01");
    ahead(Case::new(), "2026-01-07").slides_to("2025-07-31T23:59:59Z");
}

#[test]
fn without_revocation_data_there_is_no_proof() {
    let case = Case::new();
    case.lacks_a_proof();
    let root = case.world.root.crl(FRESH.0, FRESH.1, &[]);
    let case = case.crl(&root, NOW);
    case.lacks_a_proof();
    // Unless the policy does not ask.
    assert_eq!(case.slide(Policy::built_in("without-revocation").unwrap()), Ok(at(NOW)));
}

#[test]
fn algorithms_take_the_time_to_before_their_end() {
    let case = Case::new().crls(FRESH, FRESH, "2025-01-01").signer_proven("2025-01-01");
    let until = |end: &str| case.slide(&policy(&format!("[suites.keys.ecdsa]\n256 = \"{end}\"")));
    assert_eq!(until("open"), Ok(at(NOW)));
    assert_eq!(until("2030-01-01"), Ok(at(NOW)));
    // The CRLs are younger than the end.
    assert_eq!(until("2025-06-01").unwrap_err().sub_indication, Some(SubIndication::NoPoe));
    let older = Case::new().crls(FRESH, ("2025-05-01", "2025-06-08"), "2025-05-02").signer_proven("2025-01-01");
    let until = |end: &str| older.slide(&policy(&format!("[suites.keys.ecdsa]\n256 = \"{end}\"")));
    assert_eq!(until("2025-06-01"), Ok(at("2025-05-31T23:59:59Z")));
    assert!(until("never").is_err());
}
