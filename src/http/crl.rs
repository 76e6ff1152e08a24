//! `/crl/…`: published CRLs, where certificates' distribution points lead (RFC 5280 §4.2.1.13: HTTP, one DER CRL,
//! `application/pkix-crl`).
//!
//! Conditional requests and ranges as RFC 9110 §13 and §14 have them; the octets go out as they were signed, never compressed:
//! clients of CRLs are often no browsers, and serial numbers hardly get shorter.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::body::SizedStream;
use actix_web::http::header::{
    self, ByteRangeSpec, ContentRange, ContentRangeSpec, EntityTag, Header as _, HttpDate, IfMatch, IfModifiedSince,
    IfNoneMatch, IfRange, IfUnmodifiedSince, Range,
};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use bytes::Bytes;

use super::Services;
use super::limits::Permit;
use super::problem::Problem;
use crate::crls::{CrlBody, ShelvedCrl};
use crate::store::CrlScope;

/// Octets handed to a connection at once: what a client that reads slowly, or not at all, costs.
const CHUNK: u64 = 64 * 1024;
/// How long caches may keep a complete or partitioned CRL without asking, in seconds: a revocation makes a new one.
const MAX_AGE_S: i64 = 300;
/// The same of a delta, which is there to be young.
const DELTA_MAX_AGE_S: i64 = 30;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/crl/{file}").to(complete)).service(web::resource("/crl/{issuer}/{file}").to(part));
}

async fn complete(request: HttpRequest, file: web::Path<String>, services: web::Data<Services>) -> HttpResponse {
    let issuer = file.strip_suffix(".crl").map(|issuer| (issuer, CrlScope::Complete));
    answer(&request, &services, issuer)
}

async fn part(request: HttpRequest, path: web::Path<(String, String)>, services: web::Data<Services>) -> HttpResponse {
    let (issuer, file) = path.into_inner();
    let scope = match file.strip_suffix(".crl") {
        Some("delta") => Some(CrlScope::Delta),
        // One spelling each: a cache must not hold the same CRL under several.
        Some(number) if !number.starts_with(['0', '+']) => number.parse().ok().map(CrlScope::Partition),
        _ => None,
    };
    answer(&request, &services, scope.map(|scope| (issuer.as_str(), scope)))
}

fn answer(request: &HttpRequest, services: &Services, wanted: Option<(&str, CrlScope)>) -> HttpResponse {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Problem::MethodNotAllowed { allow: "GET, HEAD" }.response();
    }
    let Some(crl) = wanted.and_then(|(issuer, scope)| services.shelf.find(issuer, scope)) else {
        return Problem::NotFound { what: "CRL" }.response();
    };
    if crl.row.octets <= i64::try_from(CHUNK).unwrap_or(0) {
        return respond(request, &crl, SystemTime::now(), None);
    }
    // A place for as long as the download takes: nobody holds more of them than any other work.
    match services.limits.admit(&services.identify_or_anonymous(request)) {
        Ok(permit) => respond(request, &crl, SystemTime::now(), Some(permit)),
        Err(problem) => problem.response(),
    }
}

/// What a request's conditions and ranges ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Whole,
    Part { first: u64, last: u64 },
    NotModified,
    PreconditionFailed,
    Unsatisfiable,
}

fn respond(request: &HttpRequest, crl: &ShelvedCrl, now: SystemTime, permit: Option<Permit>) -> HttpResponse {
    let row = &crl.row;
    let length = u64::try_from(row.octets).unwrap_or(0);
    let tag = EntityTag::new_strong(hex::encode(row.sha256));
    // When it could be had first, and not thisUpdate: who fetched the one before while this one was made must get this one.
    let modified = UNIX_EPOCH + Duration::from_secs(u64::try_from(row.published_at_us / 1_000_000).unwrap_or(0));
    let now_s = now.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
    let most_s = if row.scope == CrlScope::Delta { DELTA_MAX_AGE_S } else { MAX_AGE_S };
    let age_s = (row.next_update_s - now_s).clamp(0, most_s);
    let wanted = wanted(request, &tag, modified, length);
    let status = match wanted {
        Wanted::Whole => StatusCode::OK,
        Wanted::Part { .. } => StatusCode::PARTIAL_CONTENT,
        Wanted::NotModified => StatusCode::NOT_MODIFIED,
        Wanted::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        Wanted::Unsatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
    };
    let mut response = HttpResponse::build(status);
    response
        .insert_header(header::ETag(tag))
        .insert_header(header::LastModified(HttpDate::from(modified)))
        .insert_header((header::CACHE_CONTROL, format!("public, max-age={age_s}, no-transform, must-revalidate")))
        .insert_header((header::ACCEPT_RANGES, "bytes"));
    match wanted {
        Wanted::Whole if *request.method() == Method::HEAD => {
            // A HEAD's body is not sent, but it would be read to its end.
            let nothing = futures_util::stream::empty::<Result<Bytes, actix_web::Error>>();
            response.content_type("application/pkix-crl").body(SizedStream::new(length, nothing))
        }
        Wanted::Whole => body(response.content_type("application/pkix-crl"), &crl.body, (0, length), permit),
        Wanted::Part { first, last } => {
            let range = Some((first, last));
            let range = ContentRange(ContentRangeSpec::Bytes { range, instance_length: Some(length) });
            response.insert_header(range);
            body(response.content_type("application/pkix-crl"), &crl.body, (first, last - first + 1), permit)
        }
        Wanted::Unsatisfiable => {
            let range = ContentRangeSpec::Bytes { range: None, instance_length: Some(length) };
            response.insert_header(ContentRange(range)).finish()
        }
        Wanted::NotModified | Wanted::PreconditionFailed => response.finish(),
    }
}

/// RFC 9110 §13.2.2: the order in which conditions count.
fn wanted(request: &HttpRequest, tag: &EntityTag, modified: SystemTime, length: u64) -> Wanted {
    let has = |name| request.headers().contains_key(name);
    // What does not read is taken as absent, as RFC 9110 §13.1 and §14.2 have it.
    if has(header::IF_MATCH) {
        let matches = match IfMatch::parse(request) {
            Ok(IfMatch::Any) | Err(_) => true,
            Ok(IfMatch::Items(tags)) => tags.iter().any(|one| one.strong_eq(tag)),
        };
        if !matches {
            return Wanted::PreconditionFailed;
        }
    } else if IfUnmodifiedSince::parse(request).is_ok_and(|since| modified > SystemTime::from(since.0)) {
        return Wanted::PreconditionFailed;
    }
    if has(header::IF_NONE_MATCH) {
        let matches = match IfNoneMatch::parse(request) {
            Ok(IfNoneMatch::Any) => true,
            Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|one| one.weak_eq(tag)),
            Err(_) => false,
        };
        if matches {
            return Wanted::NotModified;
        }
    } else if IfModifiedSince::parse(request).is_ok_and(|since| modified <= SystemTime::from(since.0)) {
        return Wanted::NotModified;
    }
    let is_same = !has(header::IF_RANGE)
        || match IfRange::parse(request) {
            Ok(IfRange::EntityTag(one)) => one.strong_eq(tag),
            Ok(IfRange::Date(date)) => SystemTime::from(date) == modified,
            Err(_) => false,
        };
    // §14.2: defined for GET alone.
    if *request.method() != Method::GET || !is_same || !has(header::RANGE) {
        return Wanted::Whole;
    }
    match Range::parse(request) {
        Ok(Range::Bytes(specs)) => one_range(&specs, length),
        _ => Wanted::Whole,
    }
}

/// One range is served as it is asked for; several are answered with the whole, which §14.2 allows.
fn one_range(specs: &[ByteRangeSpec], length: u64) -> Wanted {
    match specs {
        [spec] => match spec.to_satisfiable_range(length) {
            Some((first, last)) => Wanted::Part { first, last },
            None => Wanted::Unsatisfiable,
        },
        _ => Wanted::Whole,
    }
}

/// The octets in slices, each asked for when the one before is on its way.
fn body(
    response: &mut HttpResponseBuilder,
    body: &CrlBody,
    (first, length): (u64, u64),
    permit: Option<Permit>,
) -> HttpResponse {
    if let (CrlBody::Memory(octets), true) = (body, length <= CHUNK) {
        return response.body(slice(octets, first, length));
    }
    let body = body.clone();
    let slices = futures_util::stream::try_unfold((first, length), move |(at, left)| {
        let (body, _held_to_the_end) = (body.clone(), &permit);
        async move {
            if left == 0 {
                return Ok::<_, actix_web::Error>(None);
            }
            let size = left.min(CHUNK);
            let octets = match body {
                CrlBody::Memory(octets) => slice(&octets, at, size),
                CrlBody::File(file) => web::block(move || read(&file, at, size)).await??,
            };
            Ok(Some((octets, (at + size, left - size))))
        }
    });
    response.body(SizedStream::new(length, Box::pin(slices)))
}

fn slice(octets: &Bytes, at: u64, size: u64) -> Bytes {
    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(octets.len());
    octets.slice(place(at)..place(at + size))
}

fn read(file: &File, at: u64, size: u64) -> std::io::Result<Bytes> {
    let mut octets = vec![0; usize::try_from(size).unwrap_or(0)];
    file.read_exact_at(&mut octets, at)?;
    Ok(Bytes::from(octets))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    const MODIFIED_S: u64 = 1_800_000_000;

    fn asked(headers: &[(&str, &str)]) -> Wanted {
        let mut request = TestRequest::get();
        for (name, value) in headers {
            request = request.append_header((*name, *value));
        }
        let modified = UNIX_EPOCH + Duration::from_secs(MODIFIED_S);
        wanted(&request.to_http_request(), &EntityTag::new_strong("ab".to_owned()), modified, 1_000)
    }

    #[test]
    fn conditions_count_in_their_order() {
        let (at, before, after) =
            ("Fri, 15 Jan 2027 08:00:00 GMT", "Fri, 15 Jan 2027 07:59:59 GMT", "Fri, 15 Jan 2027 08:00:01 GMT");
        for (headers, expected) in [
            (&[][..], Wanted::Whole),
            (&[("if-none-match", "\"ab\"")], Wanted::NotModified),
            (&[("if-none-match", "W/\"ab\"")], Wanted::NotModified),
            (&[("if-none-match", "\"x\", \"ab\"")], Wanted::NotModified),
            (&[("if-none-match", "*")], Wanted::NotModified),
            (&[("if-none-match", "\"x\"")], Wanted::Whole),
            (&[("if-none-match", "\"x\""), ("if-modified-since", after)], Wanted::Whole),
            (&[("if-modified-since", at)], Wanted::NotModified),
            (&[("if-modified-since", after)], Wanted::NotModified),
            (&[("if-modified-since", before)], Wanted::Whole),
            (&[("if-modified-since", "yesterday")], Wanted::Whole),
            (&[("if-match", "\"ab\"")], Wanted::Whole),
            (&[("if-match", "\"x\"")], Wanted::PreconditionFailed),
            (&[("if-match", "W/\"ab\"")], Wanted::PreconditionFailed),
            (&[("if-unmodified-since", at)], Wanted::Whole),
            (&[("if-unmodified-since", before)], Wanted::PreconditionFailed),
        ] {
            assert_eq!(asked(headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn a_range_is_served_when_it_is_of_the_same_crl() {
        let part = |first, last| Wanted::Part { first, last };
        for (headers, expected) in [
            (&[("range", "bytes=0-0")][..], part(0, 0)),
            (&[("range", "bytes=10-")], part(10, 999)),
            (&[("range", "bytes=-10")], part(990, 999)),
            (&[("range", "bytes=900-5000")], part(900, 999)),
            (&[("range", "bytes=1000-")], Wanted::Unsatisfiable),
            (&[("range", "bytes=0-1,3-4")], Wanted::Whole),
            (&[("range", "lines=0-1")], Wanted::Whole),
            (&[("range", "bytes=5-1")], Wanted::Whole),
            (&[("range", "bytes=0-1"), ("if-range", "\"ab\"")], part(0, 1)),
            (&[("range", "bytes=0-1"), ("if-range", "\"old\"")], Wanted::Whole),
            (&[("range", "bytes=0-1"), ("if-range", "W/\"ab\"")], Wanted::Whole),
            (&[("range", "bytes=0-1"), ("if-range", "Fri, 15 Jan 2027 08:00:00 GMT")], part(0, 1)),
            (&[("range", "bytes=0-1"), ("if-none-match", "\"ab\"")], Wanted::NotModified),
        ] {
            assert_eq!(asked(headers), expected, "{headers:?}");
        }
    }
}
