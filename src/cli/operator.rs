//! Who runs a verb, which stands in the ledger as `who`, and on which installation.
//!
//! USER and LOGNAME are what the operator says of itself; the process' owner and the login that the kernel keeps for
//! auditing are not.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::{Failure, environment};
use crate::app::Installation;
use crate::config::Configuration;

/// What /proc/self/loginuid holds where nobody logged in.
const NO_LOGIN: u32 = u32::MAX;

/// The installation in a directory, with the environment that its modules want: for verbs that open tokens.
pub(super) fn open(directory: &Path) -> Result<Installation, Failure> {
    let configuration = Configuration::load(directory)?;
    environment::enter(&configuration.module_environment)?;
    Ok(Installation::with(configuration)?)
}

/// The process' owner, and who logged in, where that is somebody else.
pub(super) fn name() -> String {
    let owner = std::fs::metadata("/proc/self").map(|metadata| metadata.uid()).ok();
    let login = std::fs::read_to_string("/proc/self/loginuid").ok().and_then(|text| text.trim().parse().ok());
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let sudo = std::env::var("SUDO_USER").ok().filter(|name| !name.is_empty());
    describe(owner, login.filter(|login| *login != NO_LOGIN), sudo, &users)
}

fn describe(owner: Option<u32>, login: Option<u32>, sudo: Option<String>, users: &str) -> String {
    let text = match (owner, login, sudo) {
        (None, ..) => "unknown".to_owned(),
        (Some(owner), Some(login), _) if login != owner => {
            format!("{} (logged in as {})", user(owner, users), user(login, users))
        }
        // Without a login on the kernel's books, sudo's word is the best there is.
        (Some(owner), None, Some(behind)) => format!("{} (by sudo from {behind})", user(owner, users)),
        (Some(owner), ..) => user(owner, users),
    };
    // A name is text in a record: bounded, without control characters.
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

/// A user's name by passwd(5), or its number.
fn user(id: u32, users: &str) -> String {
    let line = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let mut found = line.filter(|fields| fields.get(2).and_then(|text| text.parse().ok()) == Some(id));
    found.next().map_or_else(|| format!("user {id}"), |fields| fields[0].to_owned())
}

#[cfg(test)]
mod tests {
    use super::describe;

    #[test]
    fn the_owner_and_the_login_behind_it() {
        let users = "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n";
        let say = |owner, login, sudo: Option<&str>| describe(owner, login, sudo.map(str::to_owned), users);
        assert_eq!(say(Some(1000), Some(1000), None), "alice");
        assert_eq!(say(Some(0), Some(1000), Some("mallory")), "root (logged in as alice)");
        assert_eq!(say(Some(0), None, Some("ali\nce")), "root (by sudo from alice)");
        assert_eq!(say(Some(7), None, None), "user 7");
        assert_eq!(say(None, None, None), "unknown");
    }
}
