//! Which source to write into a new configuration.

use std::path::Path;

use super::chrony::Chronyc;
use super::{Source, kernel};

/// The source that fits this machine, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detected {
    /// The source.
    pub source: Source,
    /// Why it was picked, for the operator.
    pub reason: String,
}

/// Looks at the machine: chrony if chronyd answers, else the kernel if something disciplines it, else nothing.
/// Takes a second at most.
#[must_use]
pub fn detect() -> Detected {
    detect_with(Path::new("chronyc"))
}

fn detect_with(command: &Path) -> Detected {
    let failure = match (Chronyc { command, host: None, port: None }).tracking() {
        Ok(_) => {
            return Detected {
                source: Source::Chrony { command: command.to_owned(), host: None, port: None },
                reason: "chronyd runs on this machine and answers chronyc".to_owned(),
            };
        }
        Err(failure) => failure,
    };
    match kernel::measure() {
        Ok(_) => Detected {
            source: Source::Kernel,
            reason: format!("something other than chronyd disciplines the kernel's clock ({failure})"),
        },
        Err(_) => Detected {
            source: Source::System,
            reason: format!(
                "neither chronyd answers ({failure}) nor does the kernel say that its clock is synchronised"
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_chrony_the_kernel_is_asked() {
        let detected = detect_with(Path::new("/nonexistent/chronyc"));
        let expected = if kernel::measure().is_ok() { Source::Kernel } else { Source::System };
        assert_eq!(detected.source, expected);
        assert!(detected.reason.contains("chrony"));
    }
}
