//! What is asked for and taken.

use std::sync::Arc;

use base64::Engine as _;
use crl::CrlNumber;
use crl::scope::DistributionPoint;
use openssl::hash::MessageDigest;
use openssl::ocsp::{OcspCertId, OcspRequest as OpensslRequest};
use openssl::x509::X509;

use super::pki::{
    DAY_S, Extension, GOOD, NOW_S, Party, UNKNOWN, access, bundle, crl_at, freshest_at, judge, judge_path, no_check,
};
use super::server::{Reply, Server};
use super::{FetchError, FetchKind, Gatherer, gather, only, outcomes};
use crate::verify::{Certificate, CertificateStatus, Evidence, Failure, Origin, SourceKind, TrustAnchor};

/// A target directly under an anchor.
struct World {
    server: Server,
    root: Arc<Party>,
    anchor: Arc<TrustAnchor>,
    evidence: Evidence,
}

impl World {
    fn new() -> Self {
        let root = Arc::new(Party::new("Root"));
        let anchor = root.anchor();
        Self { server: Server::start(), root, anchor, evidence: Evidence::new() }
    }

    fn target(&self, extensions: &[Extension]) -> Arc<Certificate> {
        self.root.certify(&Party::new("Target"), 5, false, extensions)
    }

    fn gather(&mut self, target: &Arc<Certificate>) -> super::Gathered {
        gather(only(&self.server), &mut self.evidence, target, &self.anchor)
    }

    fn failure(&self, target: &Arc<Certificate>) -> Option<Failure> {
        judge(target, &self.evidence, &self.anchor).failure
    }
}

#[test]
fn a_chain_is_completed_by_der_pem_and_a_bundle() {
    let mut world = World::new();
    let (upper, middle, lower) = (Party::new("Upper"), Party::new("Middle"), Party::new("Lower"));
    let url = |path: &str| world.server.url(path);
    let upper_certificate = world.root.certify(&upper, 2, true, &[]);
    let middle_certificate = upper.certify(&middle, 3, true, &[access(&[&url("/upper.p7c")], &[])]);
    let lower_certificate = middle.certify(&lower, 4, true, &[access(&[&url("/middle.pem")], &[])]);
    let ldap = "ldap://directory.example/cn=Lower";
    let target = lower.certify(&Party::new("Target"), 5, false, &[access(&[ldap, &url("/lower.cer")], &[])]);
    let pem = base64::engine::general_purpose::STANDARD.encode(middle_certificate.der());
    let pem = format!("-----BEGIN CERTIFICATE-----\n{pem}\n-----END CERTIFICATE-----\n");
    world.server.body("/lower.cer", lower_certificate.der());
    world.server.body("/middle.pem", pem.as_bytes());
    world.server.body("/upper.p7c", &bundle(&[&lower_certificate, &upper_certificate]));

    assert!(!judge_path(&target, &world.evidence, &world.anchor).is_good());
    let gathered = world.gather(&target);
    assert!(judge_path(&target, &world.evidence, &world.anchor).is_good());
    let scheme = FetchError::Scheme { scheme: "ldap".to_owned() };
    let issuer = FetchKind::Issuer;
    assert_eq!(outcomes(&gathered), [(issuer, Err(scheme)), (issuer, Ok(())), (issuer, Ok(())), (issuer, Ok(()))]);
    assert_eq!(gathered.exhausted, None);
    let lower_octets = u64::try_from(lower_certificate.der().len()).unwrap();
    assert_eq!(gathered.fetched[1].octets, lower_octets);
    assert!(world.evidence.certificates().iter().all(|held| held.origin == Origin::Fetched));
    // What is held is not fetched again.
    assert!(world.gather(&target).fetched.is_empty());
}

#[test]
fn certificates_of_others_leave_the_next_url_to_be_asked() {
    let mut world = World::new();
    let (middle, other) = (Party::new("Middle"), Party::new("Other"));
    let urls = [world.server.url("/other"), world.server.url("/namesake"), world.server.url("/middle")];
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let target = middle.certify(&Party::new("Target"), 5, false, &[access(&urls, &[])]);
    world.server.body("/other", world.root.certify(&other, 2, true, &[]).der());
    // Of the right name and another key.
    world.server.body("/namesake", world.root.certify(&Party::new("Middle"), 3, true, &[]).der());
    world.server.body("/middle", world.root.certify(&middle, 4, true, &[]).der());
    let gathered = world.gather(&target);
    let issuer = FetchKind::Issuer;
    assert_eq!(outcomes(&gathered), [(issuer, Err(FetchError::NotIssuer)), (issuer, Ok(())), (issuer, Ok(()))]);
    assert!(judge_path(&target, &world.evidence, &world.anchor).is_good());
}

#[test]
fn a_crl_is_fetched_once_for_all_that_it_speaks_of() {
    let mut world = World::new();
    let url = world.server.url("/root.crl");
    let middle = Party::new("Middle");
    let middle_certificate = world.root.certify(&middle, 2, true, &[crl_at(&[&url])]);
    let target = world.target(&[crl_at(&[&url])]);
    world.server.body("/root.crl", &world.root.crl(&[&[5]], |_| {}));
    let targets = [Arc::clone(&target), Arc::clone(&middle_certificate)];
    let gatherer = Gatherer::new(only(&world.server));
    let gathered = gatherer.gather(&mut world.evidence, &targets, &[Arc::clone(&world.anchor)], NOW_S);
    assert_eq!(outcomes(&gathered), [(FetchKind::Crl, Ok(()))]);
    assert_eq!(world.server.paths(), ["/root.crl"]);
    assert!(matches!(world.failure(&target), Some(Failure::Revoked { .. })));
    assert!(world.failure(&middle_certificate).is_none());
}

#[test]
fn a_responder_is_asked_as_openssl_asks() {
    let mut world = World::new();
    let (ocsp, crl) = (world.server.url("/ocsp"), world.server.url("/root.crl"));
    let target = world.target(&[access(&[], &[&ocsp]), crl_at(&[&crl])]);
    let by = |signer: &Arc<Party>| {
        let signer = Arc::clone(signer);
        Reply::Answer(Arc::new(move |request: &[u8]| signer.answer(request, GOOD, NOW_S - DAY_S)))
    };
    world.server.route("/ocsp", by(&world.root));
    let gathered = world.gather(&target);
    assert_eq!(outcomes(&gathered), [(FetchKind::OcspResponse, Ok(()))]);
    let [seen] = &world.server.seen()[..] else { panic!("{:?}", world.server.seen()) };
    assert_eq!(seen.method, "post");
    assert!(seen.head.contains("content-type: application/ocsp-request"), "{}", seen.head);

    let issuer = X509::from_der(world.anchor.certificate().unwrap().der()).unwrap();
    let subject = X509::from_der(target.der()).unwrap();
    let mut theirs = OpensslRequest::new().unwrap();
    theirs.add_id(OcspCertId::from_cert(MessageDigest::sha1(), &subject, &issuer).unwrap()).unwrap();
    assert_eq!(seen.body, theirs.to_der().unwrap());

    let judgement = judge(&target, &world.evidence, &world.anchor);
    let chain = judgement.chain.unwrap();
    let status = &chain.links.last().unwrap().status;
    let CertificateStatus::Good(sources) = status else { panic!("{status:?}") };
    assert_eq!((sources[0].kind, sources[0].origin), (SourceKind::OcspResponse, Origin::Fetched));
    // It is held now.
    assert!(world.gather(&target).fetched.is_empty());
    // An answer by another key of the same name is not believed, and leads on to the CRL.
    world.evidence = Evidence::new();
    world.server.route("/ocsp", by(&Arc::new(Party::new("Root"))));
    world.server.body("/root.crl", &world.root.crl(&[], |_| {}));
    let gathered = world.gather(&target);
    assert_eq!(outcomes(&gathered), [(FetchKind::OcspResponse, Ok(())), (FetchKind::Crl, Ok(()))]);
    assert!(world.failure(&target).is_none());
}

#[test]
fn an_answer_that_says_nothing_leads_on_to_the_crl() {
    let root = Arc::new(Party::new("Root"));
    let by = |status: &'static [u8], this_update_s: i64| {
        let root = Arc::clone(&root);
        Reply::Answer(Arc::new(move |request: &[u8]| root.answer(request, status, this_update_s)))
    };
    let try_later = Reply::Body(vec![0x30, 3, 0x0a, 1, 3]);
    let replies = [
        by(UNKNOWN, NOW_S - DAY_S),
        by(GOOD, NOW_S - 9 * DAY_S),
        try_later,
        Reply::Status(503),
        Reply::Body(Vec::new()),
    ];
    for (number, reply) in replies.into_iter().enumerate() {
        let server = Server::start();
        let urls = (server.url("/ocsp"), server.url("/root.crl"));
        let extensions = [access(&[], &[&urls.0]), crl_at(&["ldap://x.example/", &urls.1])];
        let target = root.certify(&Party::new("Target"), 5, false, &extensions);
        server.route("/ocsp", reply);
        server.body("/root.crl", &root.crl(&[], |_| {}));
        let (mut evidence, anchor) = (Evidence::new(), root.anchor());
        let gathered = gather(only(&server), &mut evidence, &target, &anchor);
        assert_eq!(server.paths(), ["/ocsp", "/root.crl"], "{number}: {gathered:?}");
        assert!(judge(&target, &evidence, &anchor).is_good(), "{number}");
    }
}

#[test]
fn forged_and_stale_evidence_does_not_keep_the_true_one_away() {
    let forger = Party::new("Root");
    for held in 0..4 {
        let mut world = World::new();
        let target = world.target(&[crl_at(&[&world.server.url("/root.crl")])]);
        world.server.body("/root.crl", &world.root.crl(&[&[5]], |_| {}));
        let crl = match held {
            0 => forger.crl(&[], |_| {}),
            1 => world.root.crl(&[], |fields| fields.next_update_s = NOW_S - 1),
            2 => world.root.crl(&[], |fields| fields.this_update_s = NOW_S + 1),
            // This one is true, and enough.
            _ => world.root.crl(&[], |_| {}),
        };
        world.evidence.add_crl_der(&crl, Origin::Embedded).unwrap();
        let gathered = world.gather(&target);
        if held == 3 {
            assert!(gathered.fetched.is_empty());
            assert!(world.failure(&target).is_none());
        } else {
            assert_eq!(outcomes(&gathered), [(FetchKind::Crl, Ok(()))], "{held}");
            assert!(matches!(world.failure(&target), Some(Failure::Revoked { .. })), "{held}");
        }
    }
}

#[test]
fn deltas_are_fetched_with_their_complete_crl() {
    let delta = |fields: &mut crl::CrlFields| {
        fields.crl_number = CrlNumber::from(8);
        fields.base_crl_number = Some(CrlNumber::from(7));
    };
    for named_by_crl in [false, true] {
        let mut world = World::new();
        let (complete, freshest) = (world.server.url("/root.crl"), world.server.url("/delta.crl"));
        let mut extensions = vec![crl_at(&[&complete])];
        if !named_by_crl {
            extensions.push(freshest_at(&freshest));
        }
        let target = world.target(&extensions);
        let crl = world.root.crl(&[], |fields| {
            if named_by_crl {
                fields.freshest_crl = vec![DistributionPoint::from_uri(&freshest).unwrap()];
            }
        });
        world.server.body("/root.crl", &crl);
        world.server.body("/delta.crl", &world.root.crl(&[&[5]], delta));
        let gathered = world.gather(&target);
        assert_eq!(outcomes(&gathered), [(FetchKind::Crl, Ok(())), (FetchKind::DeltaCrl, Ok(()))]);
        assert!(matches!(world.failure(&target), Some(Failure::Revoked { .. })));
    }
    // A delta where the complete one should be.
    let mut world = World::new();
    let target = world.target(&[crl_at(&[&world.server.url("/root.crl")])]);
    world.server.body("/root.crl", &world.root.crl(&[], delta));
    assert_eq!(outcomes(&world.gather(&target)), [(FetchKind::Crl, Err(FetchError::OtherKindOfCrl))]);
}

#[test]
fn what_need_not_be_asked_is_not() {
    let mut world = World::new();
    let ocsp = world.server.url("/ocsp");
    let crl = world.server.url("/root.crl");
    let unchecked = world.target(&[no_check(), access(&[], &[&ocsp]), crl_at(&[&crl])]);
    assert!(world.gather(&unchecked).fetched.is_empty());
    // The anchor itself, and whoever signed itself.
    let own = Arc::clone(world.anchor.certificate().unwrap());
    assert!(world.gather(&own).fetched.is_empty());
    let alone = Party::new("Alone");
    let alone = alone.certify(&alone, 1, true, &[access(&[&world.server.url("/up")], &[&ocsp]), crl_at(&[&crl])]);
    assert!(world.gather(&alone).fetched.is_empty());
    assert!(world.server.seen().is_empty());
}

#[test]
fn whom_no_anchor_vouches_for_has_no_say_in_where_is_asked() {
    let mut world = World::new();
    let stranger = Party::new("Stranger");
    let (ocsp, crl) = (world.server.url("/ocsp"), world.server.url("/x.crl"));
    let named_like_root = Party::new("Root");
    for ca in [&stranger, &named_like_root] {
        let target = ca.certify(&Party::new("Target"), 5, false, &[access(&[], &[&ocsp]), crl_at(&[&crl])]);
        world.evidence.add_certificate(ca.certify(ca, 1, true, &[]), Origin::Embedded).unwrap();
        assert!(world.gather(&target).fetched.is_empty());
    }
    assert!(world.server.seen().is_empty());
}

#[test]
fn certificates_that_lead_nowhere_use_up_nothing_that_others_need() {
    let mut world = World::new();
    let middle = Party::new("Middle");
    let url = world.server.url("/middle.crl");
    let target = middle.certify(&Party::new("Target"), 5, false, &[crl_at(&[&url])]);
    // The true issuer's name and key in certificates of nobody, each with a place to ask.
    for number in 0..100 {
        let nobody = Party::new("Nobody");
        let up = access(&[&world.server.url(&format!("/{number}"))], &[]);
        let fake = nobody.certify(&middle, number, true, &[up]);
        world.evidence.add_certificate(fake, Origin::Embedded).unwrap();
    }
    let up = crl_at(&[&world.server.url("/root.crl")]);
    world.evidence.add_certificate(world.root.certify(&middle, 200, true, &[up]), Origin::Embedded).unwrap();
    world.server.body("/middle.crl", &middle.crl(&[&[5]], |_| {}));
    world.server.body("/root.crl", &world.root.crl(&[], |_| {}));
    let gathered = world.gather(&target);
    assert_eq!(gathered.exhausted, None);
    assert_eq!(outcomes(&gathered), [(FetchKind::Crl, Ok(())), (FetchKind::Crl, Ok(()))]);
    assert!(matches!(world.failure(&target), Some(Failure::Revoked { .. })));
}

#[test]
fn an_issuers_certificate_that_leads_nowhere_does_not_keep_the_true_one_away() {
    let mut world = World::new();
    let middle = Party::new("Middle");
    let target = middle.certify(&Party::new("Target"), 5, false, &[access(&[&world.server.url("/middle")], &[])]);
    let crossed = Party::new("Gone").certify(&middle, 2, true, &[access(&[&world.server.url("/gone")], &[])]);
    world.evidence.add_certificate(crossed, Origin::Embedded).unwrap();
    world.server.body("/middle", world.root.certify(&middle, 3, true, &[]).der());
    let gathered = world.gather(&target);
    let issuer = FetchKind::Issuer;
    assert_eq!(outcomes(&gathered), [(issuer, Err(FetchError::Status { status: 404 })), (issuer, Ok(()))]);
    assert!(judge_path(&target, &world.evidence, &world.anchor).is_good());
}

#[test]
fn the_time_judged_for_may_be_past() {
    let mut world = World::new();
    let target = world.target(&[crl_at(&[&world.server.url("/root.crl")])]);
    world.server.body("/root.crl", &world.root.crl(&[], |_| {}));
    let (targets, anchors) = ([Arc::clone(&target)], [Arc::clone(&world.anchor)]);
    let gatherer = Gatherer::new(only(&world.server));
    let gathered = gatherer.gather(&mut world.evidence, &targets, &anchors, NOW_S - 30 * DAY_S);
    assert_eq!(outcomes(&gathered), [(FetchKind::Crl, Ok(()))]);
    assert_eq!(world.evidence.crls().len(), 1);
}

#[test]
fn one_gatherer_serves_several_threads() {
    let world = World::new();
    let target = world.target(&[crl_at(&[&world.server.url("/root.crl")])]);
    world.server.body("/root.crl", &world.root.crl(&[], |_| {}));
    let gatherer = Gatherer::new(only(&world.server));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut evidence = Evidence::new();
                let (targets, anchors) = ([Arc::clone(&target)], [Arc::clone(&world.anchor)]);
                assert_eq!(
                    outcomes(&gatherer.gather(&mut evidence, &targets, &anchors, NOW_S)),
                    [(FetchKind::Crl, Ok(()))]
                );
                assert!(judge(&target, &evidence, &world.anchor).is_good());
            });
        }
    });
    assert_eq!(world.server.seen().len(), 4);
}
