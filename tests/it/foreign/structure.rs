//! A message's values as they stand, and which verdicts depend on each: the parts of RFC 5652 by their place.
//!
//! Whatever is not said here to be covered must not matter to any verdict, and the reason is one of [`Uncovered`].

use std::ops::Range;

use noonmark::asn1::writer;
use noonmark::crypto::sha256;
use noonmark::verify::cms::{normalise, oid};
use noonmark::verify::report::{LinkReport, Report};

/// Values within each other: a certificate in a token in an attribute has twenty.
const MAX_DEPTH: usize = 48;

/// A BER value.
pub struct Node {
    pub tag: u8,
    /// Tag, length and content.
    pub whole: Range<usize>,
    pub content: Range<usize>,
    is_indefinite: bool,
    /// What is in it; of an OCTET STRING too, where that is a SEQUENCE as a whole.
    pub children: Vec<Node>,
}

impl Node {
    /// The value that a message is; the test's own material is well-formed.
    pub fn read(octets: &[u8]) -> Self {
        let node = Self::read_at(octets, 0, octets.len(), 0).expect("a BER value");
        assert_eq!(node.whole, 0..octets.len());
        node
    }

    fn read_at(octets: &[u8], start: usize, end: usize, depth: usize) -> Option<Self> {
        let tag = *octets.get(start).filter(|_| depth < MAX_DEPTH && start + 2 <= end)?;
        let first = usize::from(*octets.get(start + 1)?);
        let is_constructed = tag & 0x20 != 0;
        if tag & 0x1f == 0x1f {
            return None;
        }
        if first == 0x80 {
            let mut children = Vec::new();
            let mut at = start + 2;
            while octets.get(at..at + 2)? != [0, 0] {
                children.push(Self::read_at(octets, at, end, depth + 1)?);
                at = children.last()?.whole.end;
            }
            let (whole, content) = (start..at + 2, start + 2..at);
            return Some(Self { tag, whole, content, is_indefinite: true, children }).filter(|_| is_constructed);
        }
        let width = first.saturating_sub(0x80);
        let length = octets.get(start + 2..start + 2 + width).filter(|_| width <= 3)?;
        let length = match width {
            0 => first,
            _ => length.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet)),
        };
        let content = start + 2 + width..start + 2 + width + length;
        if content.end > end {
            return None;
        }
        let mut children = Vec::new();
        if is_constructed {
            let mut at = content.start;
            while at < content.end {
                children.push(Self::read_at(octets, at, content.end, depth + 1)?);
                at = children.last()?.whole.end;
            }
        } else if tag == writer::OCTET_STRING && octets.get(content.start) == Some(&writer::SEQUENCE) {
            let inner = Self::read_at(octets, content.start, content.end, depth + 1);
            children.extend(inner.filter(|inner| inner.whole == content));
        }
        Some(Self { tag, whole: start..content.end, content, is_indefinite: false, children })
    }

    pub fn octets<'o>(&self, octets: &'o [u8]) -> &'o [u8] {
        &octets[self.whole.clone()]
    }

    /// The value with others in place of some within it, the lengths around them made right.
    pub fn with(&self, octets: &[u8], changes: &[(&Range<usize>, &[u8])]) -> Vec<u8> {
        if let Some((_, other)) = changes.iter().find(|(range, _)| **range == self.whole) {
            return other.to_vec();
        }
        let inside = |range: &Range<usize>| self.whole.start <= range.start && range.end <= self.whole.end;
        if !changes.iter().any(|(range, _)| inside(range)) {
            return self.octets(octets).to_vec();
        }
        let content: Vec<u8> = self.children.iter().flat_map(|child| child.with(octets, changes)).collect();
        match self.is_indefinite {
            true => [&[self.tag, 0x80], &content[..], &[0, 0]].concat(),
            false => writer::tlv(self.tag, &[&content]),
        }
    }
}

/// A verdict of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A signer's.
    Signature(usize),
    /// The timestamp at this place among a signer's.
    Timestamp(usize, usize),
    /// The counter-signature at this place among a signer's.
    CounterSignature(usize, usize),
    /// The token that the document is.
    Token,
}

/// Why no verdict depends on a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Uncovered {
    /// RFC 5652 §5.3: unsignedAttrs are not signed. What is in them vouches for itself: tokens and counter-signatures have
    /// verdicts of their own.
    UnsignedAttributes,
    /// A certificate of nobody's chain: who sends it along says nothing by it (RFC 5652 §10.2.3).
    StrangersCertificate,
    /// A certificate that the message has twice, once in a token: either will do.
    CertificateHeldTwice,
    /// A CRL that is held as well; those of a message are signed by their issuers alone.
    Crl,
    /// RFC 3161 §2.4.2: a response's status is outside the token, which alone is signed.
    ResponseStatus,
}

/// What an altered value must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// None of these verdicts may pass.
    Covered(Vec<Target>),
    /// Not signed, and without influence on what is: versions (RFC 5652 §5.1, §5.3), how the signer's name is written
    /// (compared by RFC 5280 §7.1). It may pass, and then the report says what is wrong.
    Told(Vec<Target>),
    /// The digest of a signer without signed attributes, who has none: told, unless it means the same.
    ToldOrSame(Vec<Target>),
    /// Not signed, but what the signature is verified by: an identifier that means the same may pass. rsaEncryption is
    /// sha256WithRSAEncryption beside that digest (RFC 3370 §3.2), absent parameters are NULL (RFC 5754 §2).
    SameMeaning(Vec<Target>),
    /// It may pass.
    Uncovered(Uncovered),
}

/// A value and its rule.
pub struct Site<'n> {
    pub node: &'n Node,
    pub rule: Rule,
    /// Whether it is an AlgorithmIdentifier that is not signed.
    pub is_algorithm: bool,
}

/// A signer's algorithm and its place among the message's digests: changed together they are consistent.
pub struct DigestPair<'n> {
    pub listed: &'n Node,
    pub own: &'n Node,
    pub targets: Vec<Target>,
    /// Whether the signer has signed attributes, which have the digest's value.
    pub is_signed: bool,
}

/// Every value of a message.
pub struct Structure<'n> {
    octets: &'n [u8],
    report: &'n Report,
    /// Whether the verdict rests on archive timestamps, and so on all that they cover.
    is_archived: bool,
    pub sites: Vec<Site<'n>>,
    pub digests: Vec<DigestPair<'n>>,
}

impl<'n> Structure<'n> {
    /// The values of a message, token or response, and what its report says depends on each.
    pub fn of(octets: &'n [u8], root: &'n Node, report: &'n Report) -> Self {
        let is_archived =
            report.signatures.iter().any(|one| one.checks.iter().any(|check| check.name == "past-signature"));
        let mut found = Self { octets, report, is_archived, sites: Vec::new(), digests: Vec::new() };
        if root.children[0].tag == writer::OBJECT_IDENTIFIER {
            found.document(root);
        } else {
            found.one(root, Rule::Covered(vec![Target::Token]));
            found.all(&root.children[0], &Rule::Uncovered(Uncovered::ResponseStatus));
            found.document(&root.children[1]);
        }
        found
    }

    fn document(&mut self, info: &'n Node) {
        let is_token = !self.report.timestamps.is_empty();
        self.message(info, &|at| vec![if is_token { Target::Token } else { Target::Signature(at) }], None);
    }

    fn one(&mut self, node: &'n Node, rule: Rule) {
        self.sites.push(Site { node, rule, is_algorithm: false });
    }

    /// A value and all that is in it.
    fn all(&mut self, node: &'n Node, rule: &Rule) {
        self.one(node, rule.clone());
        node.children.iter().for_each(|child| self.all(child, rule));
    }

    fn algorithm(&mut self, node: &'n Node, rule: &Rule) {
        self.all(node, rule);
        let at = self.sites.len() - 1 - descendants(node);
        self.sites[at].is_algorithm = true;
    }

    fn oid(&self, node: &Node) -> &'n [u8] {
        &self.octets[node.children[0].content.clone()]
    }

    /// A ContentInfo with a SignedData whose signers have these verdicts; `inside`: the place of the signer in whose
    /// attribute it stands.
    fn message(&mut self, info: &'n Node, targets: &dyn Fn(usize) -> Vec<Target>, inside: Option<usize>) {
        let explicit = &info.children[1];
        let data = &explicit.children[0];
        let (signers, fields) = data.children.split_last().expect("signerInfos");
        let everyone: Vec<Target> = (0..signers.children.len()).flat_map(targets).collect();
        let covered = Rule::Covered(everyone.clone());
        for node in [info, explicit, data, signers, &fields[1]] {
            self.one(node, covered.clone());
        }
        self.all(&info.children[0], &covered);
        self.all(&fields[0], &told(&everyone));
        for identifier in &fields[1].children {
            let users = signers
                .children
                .iter()
                .enumerate()
                .filter(|(_, signer)| self.oid(&signer.children[2]) == self.oid(identifier));
            let users: Vec<Target> = users.flat_map(|(at, _)| targets(at)).collect();
            assert!(!users.is_empty(), "a digest that no signer uses");
            self.algorithm(identifier, &Rule::SameMeaning(users));
        }
        self.all(&fields[2], &covered);
        for field in &fields[3..] {
            match field.tag {
                0xa0 => {
                    let needing = field.children.iter().flat_map(|certificate| self.needing(certificate, inside));
                    let needing: Vec<Target> = needing.flatten().collect();
                    // Without those that are there once, the others will do.
                    self.one(field, rule_of(needing, Uncovered::CertificateHeldTwice));
                    field.children.iter().for_each(|certificate| self.certificate(certificate, inside));
                }
                _ if self.is_archived => self.all(field, &Rule::Covered(vec![Target::Signature(0)])),
                _ => self.all(field, &Rule::Uncovered(Uncovered::Crl)),
            }
        }
        for (at, signer) in signers.children.iter().enumerate() {
            let listed = fields[1].children.iter().find(|one| self.oid(one) == self.oid(&signer.children[2]));
            self.signer(signer, listed, targets(at), inside.unwrap_or(at));
        }
    }

    fn certificate(&mut self, certificate: &'n Node, inside: Option<usize>) {
        let rule = match self.needing(certificate, inside) {
            Ok(needing) => rule_of(needing, Uncovered::StrangersCertificate),
            Err(why) => Rule::Uncovered(why),
        };
        self.all(certificate, &rule);
    }

    /// The verdicts in whose chain a certificate is, as an embedded one.
    fn needing(&self, certificate: &Node, inside: Option<usize>) -> Result<Vec<Target>, Uncovered> {
        // An archive timestamp's index has the hash of every certificate that was there.
        if self.is_archived && inside.is_none() {
            return Ok(vec![Target::Signature(0)]);
        }
        let der = certificate.octets(self.octets);
        if self.octets.windows(der.len()).filter(|window| *window == der).count() > 1 {
            return Err(Uncovered::CertificateHeldTwice);
        }
        let sha256 = hex::encode(sha256(der));
        let in_chain =
            |chain: &[LinkReport]| chain.iter().any(|link| !link.is_anchor && link.sha256.as_ref() == Some(&sha256));
        let mut found = Vec::new();
        for (at, signature) in self.report.signatures.iter().enumerate() {
            if in_chain(&signature.chain) {
                found.push(Target::Signature(at));
            }
            let timestamps = signature.timestamps.iter().enumerate().filter(|(_, one)| in_chain(&one.chain));
            found.extend(timestamps.map(|(place, _)| Target::Timestamp(at, place)));
            let counter = signature.counter_signatures.iter().enumerate().filter(|(_, one)| in_chain(&one.chain));
            found.extend(counter.map(|(place, _)| Target::CounterSignature(at, place)));
        }
        if self.report.timestamps.iter().any(|one| in_chain(&one.chain)) {
            found.push(Target::Token);
        }
        Ok(found)
    }

    /// A SignerInfo (RFC 5652 §5.3), whose digest is listed in the message unless it is a counter-signature.
    fn signer(&mut self, signer: &'n Node, listed: Option<&'n Node>, targets: Vec<Target>, at: usize) {
        let covered = Rule::Covered(targets.clone());
        let told = told(&targets);
        let same = Rule::SameMeaning(targets.clone());
        let own = Rule::ToldOrSame(targets.clone());
        let (head, rest) = signer.children.split_at(3);
        let (signed, rest) = match rest[0].tag {
            0xa0 => (Some(&rest[0]), &rest[1..]),
            _ => (None, rest),
        };
        self.one(signer, covered.clone());
        self.all(&head[0], &told);
        self.one(&head[1], covered.clone());
        for (place, part) in head[1].children.iter().enumerate() {
            self.all(part, if place == 0 { &told } else { &covered });
        }
        self.algorithm(&head[2], if signed.is_some() { &same } else { &own });
        if let Some(listed) = listed {
            let is_signed = signed.is_some();
            self.digests.push(DigestPair { listed, own: &head[2], targets: targets.clone(), is_signed });
        }
        if let Some(signed) = signed {
            self.all(signed, &covered);
        }
        self.algorithm(&rest[0], &same);
        self.all(&rest[1], &covered);
        if let Some(unsigned) = rest.get(2) {
            self.unsigned(unsigned, &targets, at);
        }
    }

    fn unsigned(&mut self, unsigned: &'n Node, targets: &[Target], at: usize) {
        let wrapped = match self.is_archived {
            true => Rule::Covered(vec![Target::Signature(at)]),
            false => Rule::Uncovered(Uncovered::UnsignedAttributes),
        };
        // An archive timestamp's imprint is over its own index (EN 319 122-1 §5.5.3).
        let is_index = unsigned.children.iter().any(|attribute| self.oid(attribute) == oid::ATS_HASH_INDEX_V3);
        if is_index {
            return self.all(unsigned, &Rule::Covered(targets.to_vec()));
        }
        self.one(unsigned, wrapped.clone());
        let mut counter_signatures = 0;
        for attribute in &unsigned.children {
            let values = &attribute.children[1];
            self.one(attribute, wrapped.clone());
            self.all(&attribute.children[0], &wrapped);
            self.one(values, wrapped.clone());
            for value in &values.children {
                match self.oid(attribute) {
                    oid::SIGNATURE_TIMESTAMP if self.is_archived => self.all(value, &wrapped),
                    oid::SIGNATURE_TIMESTAMP | oid::ARCHIVE_TIMESTAMP_V3 => {
                        let mut own = vec![Target::Timestamp(at, self.place(value, at))];
                        own.extend(self.is_archived.then_some(Target::Signature(at)));
                        self.message(value, &|_| own.clone(), Some(at));
                    }
                    oid::COUNTER_SIGNATURE => {
                        self.signer(value, None, vec![Target::CounterSignature(at, counter_signatures)], at);
                        counter_signatures += 1;
                    }
                    _ => self.all(value, &wrapped),
                }
            }
        }
    }

    /// The place of a token among a signature's.
    fn place(&self, token: &Node, at: usize) -> usize {
        let der = normalise(token.octets(self.octets)).expect("a token");
        let sha256 = hex::encode(sha256(&der));
        let timestamps = &self.report.signatures[at].timestamps;
        timestamps.iter().position(|one| one.sha256 == sha256).expect("a timestamp of the report")
    }
}

fn rule_of(targets: Vec<Target>, otherwise: Uncovered) -> Rule {
    if targets.is_empty() { Rule::Uncovered(otherwise) } else { Rule::Covered(targets) }
}

/// It is told of the token that it is in, where it is in one.
fn told(targets: &[Target]) -> Rule {
    let tokens = targets.iter().filter(|target| matches!(target, Target::Timestamp(..)));
    let tokens: Vec<Target> = tokens.copied().collect();
    Rule::Told(if tokens.is_empty() { targets.to_vec() } else { tokens })
}

fn descendants(node: &Node) -> usize {
    node.children.iter().map(|child| 1 + descendants(child)).sum()
}
