//! Others' CRLs.
