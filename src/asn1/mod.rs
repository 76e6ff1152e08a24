//! asn1.
