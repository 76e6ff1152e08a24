//! The variables that a PKCS#11 module reads.
//!
//! A module reads its configuration's path from the environment when it is loaded. A process can't safely change its
//! environment once it has threads, so `noonmark` replaces itself by itself with the variables set, before it has any.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use super::Failure;

/// Starts this program again, with the same arguments, unless every variable has its value already.
pub(super) fn enter(variables: &BTreeMap<String, String>) -> Result<(), Failure> {
    let missing = variables.iter().any(|(name, value)| std::env::var(name).as_ref() != Ok(value));
    if !missing {
        return Ok(());
    }
    if let Some((name, _)) = variables.iter().find(|(name, value)| !is_name(name) || value.contains('\0')) {
        // It would not arrive as it was sent, and this would go on for ever.
        return Err(Failure::new(format!("[module_environment] {name:?} can't be set as an environment variable")));
    }
    let program = std::env::current_exe().map_err(Failure::doing("finding this program's own file"))?;
    let error = Command::new(program).args(std::env::args_os().skip(1)).envs(variables).exec();
    Err(Failure::new(format!("starting again with the module's environment: {error}")))
}

fn is_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit())
}
