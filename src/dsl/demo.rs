//! The apps that `dev` begins with: one of every mode, answered by the `echo` model, which needs no key.

/// The files, in the order they are imported.
pub const FILES: [&str; 5] = [
    include_str!("demo/parrot.yml"),
    include_str!("demo/translator.yml"),
    include_str!("demo/detective.yml"),
    include_str!("demo/concierge.yml"),
    include_str!("demo/greeting.yml"),
];
