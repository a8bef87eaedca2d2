//! The real service on a port of its own, seen through the client: uploads, admission, aliases, deletion, and crashes.
#![allow(clippy::unwrap_used, reason = "a test that meets an error is to fail")]

mod service {
    mod admission;
    mod aliases;
    mod artifacts;
    mod crashes;
    mod files;
    mod harness;
    mod proxy;
    mod uploads;
}
