//! Gathering from a server of its own: what is asked, what is taken, what is refused.
