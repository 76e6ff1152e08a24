//! Whole judgements over a PKI made for each test.

mod anchors;
mod bombs;
mod certificates;
mod crls;
mod ocsp;
mod paths;
mod pki;
