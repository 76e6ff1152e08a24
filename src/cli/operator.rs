//! Who runs a verb: what stands in the ledger as `who`.

/// The operator's login name, with the one behind sudo where there is one.
pub(super) fn name() -> String {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let user = variable("USER").or_else(|| variable("LOGNAME")).unwrap_or_else(|| "unknown".to_owned());
    let user = match variable("SUDO_USER") {
        Some(behind) => format!("{behind} as {user}"),
        None => user,
    };
    // A name is text in a record: bounded, without control characters.
    user.chars().filter(|c| !c.is_control()).take(100).collect()
}
