//! Documents that other programs made, judged from the octets to the report: signed messages and timestamps by OpenSSL, gpgsm,
//! BouncyCastle and pyHanko, and Noonmark's own timestamps beside them.
//!
//! Each passes as it was made, and altered in any part it does not, unless the part is one that nothing covers: which those
//! are stands in `structure.rs`. The chain is of a root, an intermediate and their CRLs by `openssl ca`; the policy is the
//! default, which demands revocation data.

mod alteration;
mod bouncycastle;
mod fixture;
mod judged;
mod openssl;
mod own;
mod pyhanko;
mod structure;

use libtest_mimic::{Failed, Trial};

use super::support::{clients, gpgsm};
pub use fixture::finish;

pub fn trials() -> Vec<Trial> {
    let no_openssl = !clients::installed(&["openssl"]);
    let mut trials = openssl::trials();
    trials.extend(bouncycastle::trials());
    trials.extend(pyhanko::trials());
    trials.extend([
        trial("gpgsm::attached", || by_gpgsm(0, None)).with_ignored_flag(!gpgsm::available()),
        trial("gpgsm::detached", || by_gpgsm(1, Some(fixture::CONTENT))).with_ignored_flag(!gpgsm::available()),
        trial("noonmark::timestamp", own::timestamp),
    ]);
    trials.into_iter().map(|trial| if no_openssl { trial.with_ignored_flag(true) } else { trial }).collect()
}

fn trial(name: &str, run: impl Fn() -> Result<(), Failed> + Send + 'static) -> Trial {
    Trial::test(format!("foreign::{name}"), run)
}

/// Both of gpgsm's messages are made by one run of its agent.
fn by_gpgsm(which: usize, detached: Option<&[u8]>) -> Result<(), Failed> {
    static MADE: std::sync::OnceLock<Result<[Vec<u8>; 2], String>> = std::sync::OnceLock::new();
    let pki = fixture::pki();
    let made = MADE.get_or_init(|| {
        let chain = [pki.read("intermediate.pem"), pki.read("root.pem")].concat();
        pki.write("chain.pem", chain);
        gpgsm::sign(pki.directory(), "rsa", "chain.pem", &pki.certificate("root"), "content")
            .map_err(|error| format!("{error:?}"))
    });
    let made = made.as_ref().map_err(String::as_str)?;
    let name = if detached.is_some() { "gpgsm, detached" } else { "gpgsm, attached" };
    judged::message(name, &pki.bench(), &made[which], detached)?;
    Ok(())
}
