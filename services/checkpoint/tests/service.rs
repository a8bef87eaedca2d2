//! The real service on a port of its own, seen through the client: uploads, admission, aliases, deletion, and crashes.
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
