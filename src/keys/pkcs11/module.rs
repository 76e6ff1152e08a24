//! A PKCS#11 module: loaded once a process, shared by all who name the same file.
//!
//! The dangers are in its life cycle. C_Finalize while another thread is in a call is undefined (PKCS#11 v2.40 §5.4),
//! and session handles start anew after C_Initialize, so that a session kept from an earlier life could use or close
//! someone else's. So each life has a generation; a [`Lease`] belongs to one; each call passes a gate that refuses
//! leases of another generation, and finalizing waits, for a bounded time, until no call is out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Info, Pkcs11};
use cryptoki::error::{Error, RvError};

use crate::keys::error::{CallError, KeyError};

/// How long a caller waits while another one initializes or finalizes the module: far longer than any module takes
/// that works; a hanging one is noticed by the callers' own watch.
const LIFECYCLE_WAIT: Duration = Duration::from_secs(30);
/// While others hold sessions of the module, it is not started anew more often than this for one lost token.
const RENEW_OTHERS_INTERVAL: Duration = Duration::from_secs(30);

/// Modules by their resolved path. The outer lock is held for a look-up only; loading holds the inner one.
static MODULES: Mutex<BTreeMap<PathBuf, Arc<Loading>>> = Mutex::new(BTreeMap::new());

/// A module that is loaded, or is being loaded by who holds the lock.
type Loading = Mutex<Option<Arc<Module>>>;

pub(in crate::keys) struct Module {
    path: PathBuf,
    pkcs11: Pkcs11,
    gate: Mutex<Gate>,
    /// Signalled when the last call leaves and when the life cycle's step is over.
    changed: Condvar,
    /// Held while a token is made, so that two of this process don't choose the same slot.
    pub(super) administration: Mutex<()>,
}

#[derive(Default)]
struct Gate {
    generation: u64,
    initialized: bool,
    /// A thread is initializing or finalizing, or waits for the calls to end in order to finalize.
    busy: bool,
    calls: usize,
    /// Leases of the current generation.
    leases: usize,
    renewed_at: Option<Instant>,
}

/// How starting a module anew went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::keys) enum Renewal {
    /// Finalized; the next lease initializes it.
    Done,
    /// Someone else has done it since.
    AlreadyDone,
    /// Not now: others hold sessions, and it was done a moment ago.
    Spared,
    /// Calls are out that do not return; finalizing under them would be undefined.
    CallsOut(usize),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every section under these locks is a few assignments that hold no invariant halfway.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Module {
    /// The module at `path`, loaded if this process has not yet done so. Does not initialize it.
    pub(in crate::keys) fn load(path: &Path) -> Result<Arc<Self>, KeyError> {
        let path =
            std::fs::canonicalize(path).map_err(|error| KeyError::ModuleMissing { path: path.to_owned(), error })?;
        let place = Arc::clone(lock(&MODULES).entry(path.clone()).or_default());
        let mut place = lock(&place);
        if let Some(module) = &*place {
            return Ok(Arc::clone(module));
        }
        let pkcs11 = Pkcs11::new(&path)
            .map_err(|error| KeyError::ModuleUnusable { path: path.clone(), reason: error.to_string() })?;
        let module = Arc::new(Self {
            path,
            pkcs11,
            gate: Mutex::default(),
            changed: Condvar::new(),
            administration: Mutex::new(()),
        });
        *place = Some(Arc::clone(&module));
        Ok(module)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A share in the module's present life; initializes the module if need be.
    pub(super) fn lease(self: &Arc<Self>) -> Result<Arc<Lease>, KeyError> {
        let mut gate = self.wait_until_idle()?;
        if !gate.initialized {
            gate.busy = true;
            drop(gate);
            let answer = self.pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
            gate = lock(&self.gate);
            gate.busy = false;
            self.changed.notify_all();
            match answer {
                // Another user of the same library in this process was faster: its life is ours too.
                Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
                Err(error) => {
                    return Err(KeyError::Call { doing: "initializing the module", error: call_error(&error) });
                }
            }
            gate.initialized = true;
            gate.generation += 1;
            gate.leases = 0;
        }
        gate.leases += 1;
        Ok(Arc::new(Lease { module: Arc::clone(self), generation: gate.generation }))
    }

    fn wait_until_idle(&self) -> Result<MutexGuard<'_, Gate>, KeyError> {
        let (gate, waited) = self
            .changed
            .wait_timeout_while(lock(&self.gate), LIFECYCLE_WAIT, |gate| gate.busy)
            .unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() { Err(KeyError::ModuleHangs { calls: gate.calls.max(1) }) } else { Ok(gate) }
    }

    /// Ends the module's life `observed` (its present one, if None), so that the next lease starts another.
    ///
    /// All leases of that life go stale, those of others in this process too: for a lost token there is no other way,
    /// but a token that stays away must not disturb the others at each attempt.
    pub(in crate::keys) fn renew(&self, observed: Option<u64>, calls_wait: Duration) -> Result<Renewal, KeyError> {
        let gate = self.wait_until_idle()?;
        if !gate.initialized || observed.is_some_and(|observed| observed != gate.generation) {
            return Ok(Renewal::AlreadyDone);
        }
        if gate.leases > 0 && gate.renewed_at.is_some_and(|at| at.elapsed() < RENEW_OTHERS_INTERVAL) {
            return Ok(Renewal::Spared);
        }
        self.finalize(gate, calls_wait)
    }

    /// Ends the module's life if nobody holds a lease: a token that was not found may be so at the next look.
    pub(super) fn renew_if_unused(&self) -> Result<Renewal, KeyError> {
        let gate = self.wait_until_idle()?;
        if !gate.initialized {
            return Ok(Renewal::AlreadyDone);
        }
        if gate.leases > 0 {
            return Ok(Renewal::Spared);
        }
        self.finalize(gate, Duration::ZERO)
    }

    fn finalize(&self, mut gate: MutexGuard<'_, Gate>, calls_wait: Duration) -> Result<Renewal, KeyError> {
        gate.busy = true;
        let (mut gate, _) = self
            .changed
            .wait_timeout_while(gate, calls_wait, |gate| gate.calls > 0)
            .unwrap_or_else(PoisonError::into_inner);
        if gate.calls > 0 {
            gate.busy = false;
            self.changed.notify_all();
            return Ok(Renewal::CallsOut(gate.calls));
        }
        drop(gate);
        let answer = self.pkcs11.clone().finalize();
        gate = lock(&self.gate);
        gate.busy = false;
        gate.initialized = false;
        // So that no lease of the ended life passes the gate before the next one begins.
        gate.generation += 1;
        gate.leases = 0;
        gate.renewed_at = Some(Instant::now());
        self.changed.notify_all();
        match answer {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiNotInitialized, _)) => Ok(Renewal::Done),
            Err(error) => Err(KeyError::Call { doing: "finalizing the module", error: call_error(&error) }),
        }
    }
}

/// A share in one life of a module.
pub(in crate::keys) struct Lease {
    module: Arc<Module>,
    generation: u64,
}

impl Lease {
    pub(super) fn module(&self) -> &Arc<Module> {
        &self.module
    }

    pub(in crate::keys) fn generation(&self) -> u64 {
        self.generation
    }

    /// Makes one call into the module, if this lease's life still lasts.
    pub(super) fn call<T>(&self, call: impl FnOnce(&Pkcs11) -> Result<T, Error>) -> Result<T, CallError> {
        let _passage = self.enter()?;
        call(&self.module.pkcs11).map_err(|error| call_error(&error))
    }

    pub(super) fn library_info(&self) -> Result<Info, CallError> {
        self.call(Pkcs11::get_library_info)
    }

    pub(super) fn enter(&self) -> Result<Passage<'_>, CallError> {
        let mut gate = lock(&self.module.gate);
        if gate.busy || gate.generation != self.generation {
            return Err(CallError::Stale);
        }
        gate.calls += 1;
        Ok(Passage(&self.module))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut gate = lock(&self.module.gate);
        if gate.generation == self.generation {
            gate.leases = gate.leases.saturating_sub(1);
        }
    }
}

/// A call that is out; while it lives, the module is not finalized.
pub(super) struct Passage<'a>(&'a Module);

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        let mut gate = lock(&self.0.gate);
        gate.calls = gate.calls.saturating_sub(1);
        if gate.busy && gate.calls == 0 {
            self.0.changed.notify_all();
        }
    }
}

/// A call's error in our words.
pub(super) fn call_error(error: &Error) -> CallError {
    match error {
        Error::Pkcs11(code, function) => CallError::Answered {
            call: format!("C_{function:?}"),
            code: code_name(*code),
            token_lost: means_token_lost(*code),
        },
        other => CallError::Unusable { reason: other.to_string() },
    }
}

/// The standard's name of a code; the library has it in camel case.
fn code_name(code: RvError) -> String {
    let mut name = String::from("CKR");
    for c in format!("{code:?}").chars() {
        if c.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(c.to_ascii_uppercase());
    }
    name
}

/// Codes after which neither the session nor a new one in this life of the module can be trusted to work.
fn means_token_lost(code: RvError) -> bool {
    matches!(
        code,
        RvError::GeneralError
            | RvError::DeviceError
            | RvError::DeviceRemoved
            | RvError::TokenNotPresent
            | RvError::TokenNotRecognized
            | RvError::SlotIdInvalid
            | RvError::SessionClosed
            | RvError::SessionHandleInvalid
            | RvError::ObjectHandleInvalid
            | RvError::KeyHandleInvalid
            | RvError::UserNotLoggedIn
            | RvError::CryptokiNotInitialized
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_standards_names() {
        assert_eq!(code_name(RvError::ObjectHandleInvalid), "CKR_OBJECT_HANDLE_INVALID");
        assert_eq!(code_name(RvError::CryptokiNotInitialized), "CKR_CRYPTOKI_NOT_INITIALIZED");
        let error = call_error(&Error::Pkcs11(RvError::DeviceError, cryptoki::context::Function::SignInit));
        assert_eq!(error.to_string(), "C_SignInit answered CKR_DEVICE_ERROR");
        assert!(error.means_token_lost());
        let error = call_error(&Error::Pkcs11(RvError::FunctionFailed, cryptoki::context::Function::Sign));
        assert!(!error.means_token_lost());
    }

    #[test]
    fn a_file_that_is_no_module_is_refused() {
        assert!(matches!(Module::load(Path::new("/nowhere/module.so")), Err(KeyError::ModuleMissing { .. })));
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(Module::load(file.path()), Err(KeyError::ModuleUnusable { .. })));
    }
}
