//! The noonmark.toml that `init` writes: short, with what it chose; deploy/noonmark.toml explains every key.

use std::collections::BTreeMap;
use std::path::Path;

/// What the software tier does not protect against; said by `init`, `/readyz` and `check`.
pub(super) const SOFTWARE_TIER_WARNING: &str = "the keys are in encrypted files (tier \"software\"): whoever reads the files and the passphrase, or the memory of the process, has the keys, and no token can tell where they were made or that they were never copied. Use it for trials only";

/// The profile that every installation begins with.
pub(super) const DEFAULT_PROFILE: &str =
    "[tsa.default]\npolicies = [\"0.4.0.2023.1.1\"]\naccuracy_us = 1000000\nprecision_digits = 3\n";

/// A token's section.
pub(super) struct TokenLines {
    role: String,
    lines: String,
}

impl TokenLines {
    pub(super) fn pkcs11(role: &str, module: &Path, label: &str, pin_file: &str) -> Self {
        let lines = format!(
            "tier = \"pkcs11\"\nmodule = {}\nlabel = {}\npin_file = {}\n",
            quote(&module.display().to_string()),
            quote(label),
            quote(pin_file)
        );
        Self { role: role.to_owned(), lines }
    }

    pub(super) fn software(role: &str) -> Self {
        let lines = format!("tier = \"software\"\ndirectory = \"keys/{role}\"\npin_file = \"secrets/{role}.pin\"\n");
        Self { role: role.to_owned(), lines }
    }
}

/// A TOML basic string.
pub(super) fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

pub(super) fn render(
    public_url: &str,
    clock_source: &str,
    database: &str,
    environment: &BTreeMap<String, String>,
    tokens: &[TokenLines],
    profiles: &str,
) -> String {
    let environment: String = environment.iter().map(|(name, value)| format!("{name} = {}\n", quote(value))).collect();
    let environment =
        if environment.is_empty() { String::new() } else { format!("\n[module_environment]\n{environment}") };
    let tokens: String = tokens.iter().map(|token| format!("\n[token.{}]\n{}", token.role, token.lines)).collect();
    format!(
        "# Made by `noonmark init`. Every key is explained in deploy/noonmark.toml of the sources;\n\
         # an unknown key is refused, and `noonmark check` tells whether all is in order.\n\n\
         public_url = {}\n\n[http]\nlisten = [\"127.0.0.1:3161\"]\n\n[store]\n{database}\n\
         [clock]\nsource = \"{clock_source}\"\n{environment}{tokens}\n{profiles}",
        quote(public_url)
    )
}
