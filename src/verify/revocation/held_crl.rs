//! A CRL in memory, indexed, its names folded for comparing.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use crl::scope::{DistributionPoint, DistributionPointName, GeneralName, IssuingDistributionPoint, ScopeError};
use crl::{Crl, Index, IndexError, IndexedEntry, Obstacle, Reader as CrlReader};

use super::super::evidence::Origin;
use super::super::name::CanonicalName;
use super::super::signature::VerifiedUnder;
use crate::asn1::{DerError, Reader, writer};
use crate::crypto::sha256;

/// Entries of a CRL in a judgement: the largest public ones have about a million.
const MAX_ENTRIES: u64 = 10_000_000;

/// Why octets are not taken as a CRL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CrlError {
    /// It can't be read: the CRL engine's words.
    #[error("the CRL can't be read: {message}")]
    Unreadable {
        /// What it says.
        message: String,
    },
    /// Its outer structure or a name is malformed.
    #[error("the CRL is malformed: {0}")]
    Malformed(#[from] DerError),
    /// A distribution point that can't be compared.
    #[error("the CRL's distribution point {0}")]
    Scope(#[from] ScopeError),
}

impl From<IndexError> for CrlError {
    fn from(error: IndexError) -> Self {
        Self::Unreadable { message: error.to_string() }
    }
}

/// A CRL, read and indexed.
pub struct HeldCrl {
    der: Box<[u8]>,
    tbs: Range<usize>,
    crl: Crl,
    index: Index,
    issuer_name: CanonicalName,
    issuer_der: Vec<u8>,
    scope: Option<IssuingDistributionPoint>,
    /// Of an indirect CRL: the names of issuers as they are written, by what they compare as.
    entry_issuers: HashMap<CanonicalName, Vec<Vec<u8>>>,
    obstacles: Vec<Obstacle>,
    origin: Origin,
    sha256: [u8; 32],
    verified_under: VerifiedUnder,
}

impl HeldCrl {
    /// Reads and indexes a CRL.
    ///
    /// # Errors
    /// Not a CRL.
    pub fn from_der(der: &[u8], origin: Origin) -> Result<Self, CrlError> {
        let reader = CrlReader::from_slice(der, MAX_ENTRIES, |_| {}).map_err(IndexError::from)?;
        let reader = reader.tolerating_empty_list().tolerating_negative_serials();
        let (index, crl) = Index::from_crl(reader)?;
        let tbs = Reader::only(der, writer::SEQUENCE)?.expect(writer::SEQUENCE)?.whole;
        let start = tbs.as_ptr().addr() - der.as_ptr().addr();
        let issuer_name = CanonicalName::from_der(&crl.header.issuer)?;
        let scope = match &crl.extensions.issuing_distribution_point {
            None => None,
            Some(scope) => {
                let name = scope.distribution_point.as_ref().map(canonical_point_name).transpose()?;
                Some(IssuingDistributionPoint { distribution_point: name, ..scope.clone() })
            }
        };
        let mut entry_issuers: HashMap<CanonicalName, Vec<Vec<u8>>> = HashMap::new();
        if crl.is_indirect() {
            for issuer in index.issuers() {
                entry_issuers.entry(CanonicalName::from_der(issuer)?).or_default().push(issuer.to_vec());
            }
        }
        Ok(Self {
            tbs: start..start + tbs.len(),
            issuer_der: issuer_name.to_der(),
            obstacles: crl.obstacles(),
            crl,
            index,
            issuer_name,
            scope,
            entry_issuers,
            origin,
            sha256: sha256(der),
            verified_under: VerifiedUnder::default(),
            der: der.into(),
        })
    }

    /// The original octets.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// What the CRL says besides its entries.
    #[must_use]
    pub fn crl(&self) -> &Crl {
        &self.crl
    }

    /// The issuer's name for comparing.
    #[must_use]
    pub fn issuer_name(&self) -> &CanonicalName {
        &self.issuer_name
    }

    /// The issuer's folded name as DER.
    pub(super) fn issuer_der(&self) -> &[u8] {
        &self.issuer_der
    }

    /// issuingDistributionPoint, its names folded.
    pub(super) fn scope(&self) -> Option<&IssuingDistributionPoint> {
        self.scope.as_ref()
    }

    /// Why it must not be used to say good.
    pub(super) fn obstacles(&self) -> &[Obstacle] {
        &self.obstacles
    }

    /// Where it came from.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The SHA-256 of its octets.
    #[must_use]
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// What is known of its signature.
    pub(super) fn verified_under(&self) -> &VerifiedUnder {
        &self.verified_under
    }

    /// The octets that are signed.
    pub(super) fn tbs_der(&self) -> &[u8] {
        // Unwrap safety: the span is of a part of these octets, which never change.
        self.der.get(self.tbs.clone()).unwrap()
    }

    /// The entry of a certificate by its issuer and minimal serial (RFC 5280 §6.3.3 (i), (j)).
    pub(super) fn find(&self, issuer: &CanonicalName, serial: &[u8]) -> Option<IndexedEntry> {
        if !self.crl.is_indirect() {
            // Only a CRL of the certificate's own issuer is in scope.
            return self.index.find(serial);
        }
        let names = self.entry_issuers.get(issuer)?;
        names.iter().find_map(|name| self.index.find_of(self.index.issuer(name)?, serial))
    }
}

/// A distribution point's name with its directory names folded.
fn canonical_point_name(name: &DistributionPointName) -> Result<DistributionPointName, CrlError> {
    Ok(match name {
        DistributionPointName::FullName(names) => DistributionPointName::FullName(canonical_names(names)?),
        DistributionPointName::NameRelativeToCrlIssuer(content) => {
            let empty = CanonicalName::from_der(&[writer::SEQUENCE, 0])?;
            let folded = empty.with_relative_name(content)?.to_der();
            let set = Reader::only(&folded, writer::SEQUENCE)?.expect(writer::SET)?.content;
            DistributionPointName::NameRelativeToCrlIssuer(set.to_vec())
        }
        // The CRL engine knows no third form.
        other => other.clone(),
    })
}

fn canonical_names(names: &[GeneralName]) -> Result<Vec<GeneralName>, CrlError> {
    let fold = |name: &GeneralName| match name.name() {
        Some(directory) => Ok(GeneralName::from_name(&CanonicalName::from_der(directory)?.to_der())?),
        None => Ok(name.clone()),
    };
    names.iter().map(fold).collect()
}

/// A certificate's distribution points with their directory names folded.
pub(super) fn canonical_points(points: Vec<DistributionPoint>) -> Result<Vec<DistributionPoint>, CrlError> {
    let fold = |point: DistributionPoint| {
        Ok(DistributionPoint {
            name: point.name.as_ref().map(canonical_point_name).transpose()?,
            reasons: point.reasons,
            crl_issuer: point.crl_issuer.as_deref().map(canonical_names).transpose()?,
        })
    };
    points.into_iter().map(fold).collect()
}

impl fmt::Debug for HeldCrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldCrl").field("sha256", &hex::encode(self.sha256)).finish_non_exhaustive()
    }
}
