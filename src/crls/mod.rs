//! CRLs. Of Noonmark's own issuers: when one is due, making and signing it, publishing it, having it ready to be served.
//! Of others: fetched, verified, held ([`external`]).
//!
//! Owns: the schedule ([`Schedule`]), making and publishing ([`Publisher`]), the published CRLs as a server holds them
//! ([`Shelf`]) and the thread that keeps them current ([`ShelfKeeper`]), and what is said of them ([`health`]). Does not own:
//! the encoding (the `crl` crate), keys (the caller brings a signer), HTTP.
//! Enter by [`Publisher::publish`] where the key is, and by [`Shelf`] where it is served.
//!
//! A CRL's way: its number is taken and committed, the entries are read in pages and spooled, what is to be signed is
//! linted, signed, linted again; the octets are staged in the store, and one transaction publishes them with their record.
//! A process that dies on the way leaves a number unused and a staged CRL that is swept away; what was published stays.

pub mod external;
pub mod health;
mod publisher;
mod schedule;
mod shelf;
mod shelf_keeper;

pub use publisher::{PublishError, Publisher, Step};
pub use schedule::{DueCrl, Schedule, Why};
pub use shelf::{CrlBody, Shelf, ShelfError, ShelvedCrl};
pub use shelf_keeper::ShelfKeeper;
