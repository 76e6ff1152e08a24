//! Whole judgements over a PKI made for each test.

mod anchors;
mod archive;
mod blocks;
mod bombs;
mod certificates;
mod cms;
mod counter_signatures;
mod crls;
mod documents;
mod kept;
mod message;
mod ocsp;
mod paths;
mod pki;
mod survey;
mod timestamps;
