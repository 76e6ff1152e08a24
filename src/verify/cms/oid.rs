//! Identifiers of CMS and of its attributes, content octets.

/// id-data.
pub const DATA: &[u8] = &[42, 0x86, 72, 0x86, 0xf7, 13, 1, 7, 1];
/// id-signedData.
pub const SIGNED_DATA: &[u8] = &[42, 0x86, 72, 0x86, 0xf7, 13, 1, 7, 2];
/// id-ct-TSTInfo (RFC 3161 §2.4.2).
pub const TST_INFO: &[u8] = &[42, 0x86, 72, 0x86, 0xf7, 13, 1, 9, 16, 1, 4];
/// id-contentType (RFC 5652 §11.1).
pub const CONTENT_TYPE: &[u8] = &[42, 0x86, 72, 0x86, 0xf7, 13, 1, 9, 3];
/// id-messageDigest (RFC 5652 §11.2).
pub const MESSAGE_DIGEST: &[u8] = &[42, 0x86, 72, 0x86, 0xf7, 13, 1, 9, 4];
/// id-aa-ets-sigPolicyId (EN 319 122-1 §5.2.9).
pub const SIGNATURE_POLICY: &[u8] = &[42, 0x86, 72, 0x86, 0xf7, 13, 1, 9, 16, 2, 15];
/// id-signingTime (RFC 5652 §11.3).
pub const SIGNING_TIME: &[u8] = &[42, 0x86, 72, 0x86, 0xf7, 13, 1, 9, 5];
/// id-countersignature (RFC 5652 §11.4).
pub const COUNTER_SIGNATURE: &[u8] = &[42, 0x86, 72, 0x86, 0xf7, 13, 1, 9, 6];
/// id-aa-signingCertificate (RFC 2634 §5.4).
pub const SIGNING_CERTIFICATE: &[u8] = &[42, 0x86, 72, 0x86, 0xf7, 13, 1, 9, 16, 2, 12];
/// id-aa-signingCertificateV2 (RFC 5035 §3).
pub const SIGNING_CERTIFICATE_V2: &[u8] = &[42, 0x86, 72, 0x86, 0xf7, 13, 1, 9, 16, 2, 47];
/// id-aa-signatureTimeStampToken (RFC 5126 §6.1.1).
pub const SIGNATURE_TIMESTAMP: &[u8] = &[42, 0x86, 72, 0x86, 0xf7, 13, 1, 9, 16, 2, 14];
/// id-aa-ets-contentTimestamp (RFC 5126 §5.11.4).
pub const CONTENT_TIMESTAMP: &[u8] = &[42, 0x86, 72, 0x86, 0xf7, 13, 1, 9, 16, 2, 20];
/// id-aa-ets-archiveTimestampV2 (RFC 5126 §6.4.1).
pub const ARCHIVE_TIMESTAMP_V2: &[u8] = &[42, 0x86, 72, 0x86, 0xf7, 13, 1, 9, 16, 2, 48];
/// id-aa-ets-archiveTimestamp, which RFC 5126 §6.4.1 replaced.
pub const ARCHIVE_TIMESTAMP_V1: &[u8] = &[42, 0x86, 72, 0x86, 0xf7, 13, 1, 9, 16, 2, 27];
/// id-aa-ets-archiveTimestampV3 (EN 319 122-1 §5.5.3).
pub const ARCHIVE_TIMESTAMP_V3: &[u8] = &[4, 0, 0x8d, 69, 2, 4];
/// id-aa-ATSHashIndex (TS 101 733 v2.2.1 §6.4.2).
pub const ATS_HASH_INDEX: &[u8] = &[4, 0, 0x8d, 69, 2, 5];
/// id-aa-ATSHashIndex-v2, of the first drafts of EN 319 122-1.
pub const ATS_HASH_INDEX_V2: &[u8] = &[4, 0, 0x81, 0x95, 50, 1, 4];
/// id-aa-ATSHashIndex-v3 (EN 319 122-1 §5.5.2).
pub const ATS_HASH_INDEX_V3: &[u8] = &[4, 0, 0x81, 0x95, 50, 1, 5];
/// id-aa-ets-certValues (RFC 5126 §6.3.3).
pub const CERTIFICATE_VALUES: &[u8] = &[42, 0x86, 72, 0x86, 0xf7, 13, 1, 9, 16, 2, 23];
/// id-aa-ets-revocationValues (RFC 5126 §6.3.4).
pub const REVOCATION_VALUES: &[u8] = &[42, 0x86, 72, 0x86, 0xf7, 13, 1, 9, 16, 2, 24];
/// id-ri-ocsp-response (RFC 5940 §2.1).
pub const OCSP_RESPONSE: &[u8] = &[43, 6, 1, 5, 5, 7, 16, 2];
/// rsaEncryption, as a signature algorithm (RFC 3370 §3.2).
pub const RSA_ENCRYPTION: &[u8] = &[42, 0x86, 72, 0x86, 0xf7, 13, 1, 1, 1];
/// id-dsa, as a signature algorithm.
pub const DSA: &[u8] = &[42, 0x86, 72, 0xce, 56, 4, 1];
/// id-ecPublicKey, as a signature algorithm.
pub const EC_PUBLIC_KEY: &[u8] = &[42, 0x86, 72, 0xce, 61, 2, 1];
/// id-kp-timeStamping (RFC 3161 §2.3).
pub const TIME_STAMPING: &[u8] = &[43, 6, 1, 5, 5, 7, 3, 8];
