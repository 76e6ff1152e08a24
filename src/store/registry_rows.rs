//! Rows of issuers, of certificates' status, of signed answers, and what changes them.

use serde::{Deserialize, Serialize};

use super::CertificateRow;

/// Who holds an issuer's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IssuerOrigin {
    /// Noonmark: the key is in the ca token.
    Own,
    /// Somebody else: Noonmark answers for it.
    External,
}

impl IssuerOrigin {
    /// The origin's name in the store and in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::External => "external",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Own, Self::External].into_iter().find(|origin| origin.name() == name)
    }
}

/// An issuer whose certificates' status is known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerRow {
    /// Its number, which other rows name it by.
    pub id: i64,
    /// Its name in URLs.
    pub name: String,
    /// Who holds its key.
    pub origin: IssuerOrigin,
    /// Its certificate, in the table of certificates.
    pub certificate_sha256: [u8; 32],
    /// How it is answered for, JSON.
    pub settings: String,
    /// The number of the last change to one of its certificates' status; 0 before the first.
    pub change_number: i64,
}

/// What is known of a certificate, in the order of its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CertificateState {
    /// Its serial number is taken, its signature is not made: it was never issued.
    Intended,
    /// It was issued and holds.
    Good,
    /// It is suspended, and may come back.
    Held,
    /// It is revoked, for ever.
    Revoked,
}

impl CertificateState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Intended, Self::Good, Self::Held, Self::Revoked];

    /// The state's name in the API and in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Good => "good",
            Self::Held => "held",
            Self::Revoked => "revoked",
        }
    }

    /// The state with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// The state's number in the registry, which keeps no names for the sake of its size.
    pub(super) const fn number(self) -> i16 {
        match self {
            Self::Intended => 0,
            Self::Good => 1,
            Self::Held => 2,
            Self::Revoked => 3,
        }
    }

    pub(super) fn from_number(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.number() == number)
    }
}

/// A certificate's status: what an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusRow {
    /// Its state.
    pub state: CertificateState,
    /// CRLReason (RFC 5280 §5.3.1), if one was given.
    pub reason: Option<u8>,
    /// Since when it is revoked or held, in seconds since 1970.
    pub revoked_at_s: Option<i64>,
    /// invalidityDate, in seconds since 1970.
    pub invalidity_s: Option<i64>,
    /// The issuer's change number that this status came with.
    pub change_number: i64,
}

/// A certificate in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryRow {
    /// The issuer's number.
    pub issuer_id: i64,
    /// The serial number's content octets, as they stand in the certificate.
    pub serial: Vec<u8>,
    /// Its status.
    pub status: StatusRow,
    /// The profile it was issued by; `imported` for others' certificates.
    pub profile: String,
    /// Its subject, RFC 4514.
    pub subject: String,
    /// notBefore, in seconds since 1970.
    pub not_before_s: i64,
    /// notAfter, in seconds since 1970.
    pub not_after_s: i64,
    /// The partition whose CRL lists it, as its distribution point says; 0 where it is the complete one.
    pub crl_partition: u16,
    /// The certificate itself, if it is known.
    pub certificate_sha256: Option<[u8; 32]>,
    /// Who changed it last.
    pub changed_by: String,
    /// When it was changed last, in microseconds since 1970.
    pub changed_at_us: i64,
}

/// What certificates are looked for; every part that is given must be met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateSearch {
    /// Of this issuer.
    pub issuer_id: Option<i64>,
    /// In this state.
    pub state: Option<CertificateState>,
    /// With this in the subject, taken literally; ASCII letters match in either case.
    pub subject_contains: Option<String>,
    /// Issued by this profile.
    pub profile: Option<String>,
    /// With a notAfter before this, in seconds since 1970.
    pub ends_before_s: Option<i64>,
}

/// Which hash a CertID is made with; `sha1` and `sha256` in an issuer's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertIdHash {
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

impl CertIdHash {
    pub(super) const fn number(self) -> i16 {
        match self {
            Self::Sha1 => 1,
            Self::Sha256 => 2,
        }
    }
}

/// What a signed answer can't be rebuilt without; the rest is the certificate's status and the issuer's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerRow {
    /// The issuer's number.
    pub issuer_id: i64,
    /// The certificate's serial number, content octets.
    pub serial: Vec<u8>,
    /// The key that signed it, see [`super::Store::responder_id`].
    pub responder_id: i64,
    /// The CertID's hash.
    pub hash: CertIdHash,
    /// The status' change number: an answer to another one is void.
    pub change_number: i64,
    /// thisUpdate and producedAt, in seconds since 1970.
    pub this_update_s: i64,
    /// nextUpdate, in seconds since 1970.
    pub next_update_s: i64,
    /// The form of the signed octets, so that an answer of another form is signed anew.
    pub form: i16,
    /// The signature's octets.
    pub signature: Vec<u8>,
}

/// A certificate's status with the answer that stands for it, read at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusAndAnswer {
    /// The issuer's change number at that moment.
    pub issuer_change_number: i64,
    /// The status; None if the serial number is not known.
    pub status: Option<StatusRow>,
    /// notAfter, in seconds since 1970; 0 without a status.
    pub not_after_s: i64,
    /// The answer, if one is stored for this very status.
    pub answer: Option<AnswerRow>,
}

/// A certificate whose answer is missing or old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueRow {
    /// Its serial number, content octets.
    pub serial: Vec<u8>,
    /// Its status.
    pub status: StatusRow,
}

/// Something the CA's agent is asked for, or has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRow {
    /// Its name: 32 hexadecimal digits.
    pub id: String,
    /// What is asked: `issue`, `renew-responder`.
    pub kind: String,
    /// The rest of it, JSON.
    pub input: String,
    /// How it stands.
    pub state: TaskState,
    /// What came of it, JSON.
    pub output: Option<String>,
    /// Who asked.
    pub asked_by: String,
    /// When, in microseconds since 1970.
    pub asked_at_us: i64,
}

/// How a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskState {
    /// It waits for the agent, or the agent is at it.
    Waiting,
    /// It is done.
    Done,
    /// It was refused.
    Failed,
}

impl TaskState {
    /// The state's name in the store and in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Waiting, Self::Done, Self::Failed].into_iter().find(|state| state.name() == name)
    }
}

/// A key to the API; the secret itself is never stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyRow {
    /// Its name, which is the caller's.
    pub name: String,
    /// `officer`, `operator`, `auditor` or `client`.
    pub role: String,
    /// The SHA-256 of the secret.
    pub secret_sha256: [u8; 32],
    /// When it was made, in microseconds since 1970.
    pub created_at_us: i64,
    /// When it ends, in seconds since 1970.
    pub expires_at_s: Option<i64>,
    /// When it was revoked, in microseconds since 1970.
    pub revoked_at_us: Option<i64>,
}

/// A lease on a duty that one process does at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRow {
    /// The duty: `ca-agent`, `sign-ahead`.
    pub name: String,
    /// Who has it.
    pub holder: String,
    /// When it was last renewed, in microseconds since 1970.
    pub renewed_at_us: i64,
    /// Until when it holds, in microseconds since 1970.
    pub until_us: i64,
}

/// A change that is committed in the same transaction as the record that tells of it.
///
/// Each holds only under its condition; a condition that is not met refuses the record with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new issuer, with its certificate; the id is given by the store. Refused if the name is taken.
    AddIssuer {
        /// Its name.
        name: String,
        /// Who holds its key.
        origin: IssuerOrigin,
        /// Its certificate.
        certificate: CertificateRow,
        /// How it is answered for, JSON.
        settings: String,
    },
    /// Other settings for an issuer. Refused if they are no longer `before`.
    ChangeIssuer {
        /// The issuer's number.
        issuer_id: i64,
        /// The settings that the caller read.
        before: String,
        /// The new ones.
        after: String,
    },
    /// A serial number taken for a certificate to be issued. Refused if it is taken, or the issuer is not known. The row
    /// is written as Intended with change number 0, whatever it says: it has no status yet.
    Intend(RegistryRow),
    /// The intended certificate was made: Intended becomes Good, under the issuer's next change number, with the
    /// certificate's subject and validity. Refused unless the row is Intended, and the task waiting.
    Issue {
        /// The issuer's number.
        issuer_id: i64,
        /// The serial number.
        serial: Vec<u8>,
        /// The certificate.
        certificate: CertificateRow,
        /// Who asked for it.
        changed_by: String,
        /// The task that this finishes, with its output, JSON.
        task: Option<(String, String)>,
    },
    /// A certificate's status, under the issuer's next change number. Refused if the row's change number is no longer
    /// `before`, or a revoked certificate would come back; the new row's own change number is not looked at.
    Status {
        /// The row's change number that the caller read.
        before: i64,
        /// The row as it shall be.
        after: RegistryRow,
    },
    /// Certificates and statuses from elsewhere, all under one change number of the issuer. A serial number that is
    /// known is left as it is; of two rows with the same one the first counts. Refused if a row names another issuer.
    Import {
        /// The issuer's number.
        issuer_id: i64,
        /// The rows; their change numbers are not looked at.
        rows: Vec<RegistryRow>,
        /// The certificates that they name, as far as these are known.
        certificates: Vec<CertificateRow>,
    },
    /// A staged CRL takes the place of the published one of its issuer and scope. Refused unless it is staged whole, its
    /// number is the last that was taken, and the one before was not begun later: one who was overtaken publishes nothing.
    PublishCrl {
        /// Its id.
        crl_id: i64,
    },
    /// A published CRL that is served no more, since its issuer makes none of its scope. Refused unless it is published.
    RetireCrl {
        /// Its id.
        crl_id: i64,
    },
    /// Another certificate for a key (`keys.certificate_sha256`), stored with it. Refused if the key's certificate is no
    /// longer `before`.
    RenewKeyCertificate {
        /// The key's name.
        key_name: String,
        /// The certificate that the caller read.
        before: [u8; 32],
        /// The new one.
        certificate: CertificateRow,
    },
    /// A task for the CA's agent.
    AddTask(TaskRow),
    /// What came of a task. Refused unless it is waiting.
    FinishTask {
        /// Its name.
        id: String,
        /// Done or Failed.
        state: TaskState,
        /// What came of it, JSON.
        output: String,
    },
    /// A key to the API. Refused if its name is taken.
    AddApiKey(ApiKeyRow),
    /// A key to the API that opens nothing any more. Refused if there is none by this name, or it is revoked.
    RevokeApiKey {
        /// Its name.
        name: String,
        /// When, in microseconds since 1970.
        at_us: i64,
    },
}
