//! `/v1`: the API for officers, operators and auditors, and for whoever verifies. JSON in, JSON or problem+json out.
//!
//! Owns: who may do what ([`access`]), requests that may come twice ([`idempotency`]), the words for what the registry
//! refuses ([`refusal`]), the endpoints: [`certificates`], [`orders`], [`issuers`], [`keys`], [`verify`], and their
//! description ([`document`]). Does not own: what is done (see `ca`, `gather`). Enter by [`routes`].

mod access;
mod certificates;
mod document;
mod idempotency;
mod issuers;
mod keys;
mod orders;
mod page;
mod refusal;
mod verify;

use actix_web::web;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::scope("/v1")
                .configure(keys::routes)
                .configure(issuers::routes)
                .configure(orders::routes)
                .configure(certificates::routes)
                .configure(verify::routes)
                .default_service(web::to(super::server::not_found)),
        )
        .configure(document::routes);
}
