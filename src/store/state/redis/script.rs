//! Lua scripts, each of which is one atomic step.

use redis::Cmd;

/// Put before every script that uses the time.
pub(crate) const CLOCK: &str = include_str!("clock.lua");
/// Put before every script that charges a bucket. Needs [`CLOCK`].
pub(crate) const GCRA: &str = include_str!("gcra.lua");

/// A script, and the name by which Redis knows it once it was loaded.
pub(crate) struct Script {
    /// SHA-1 of the code, in hexadecimal.
    sha: String,
    code: String,
}

impl Script {
    /// A script that consists of these parts, in this order.
    pub(crate) fn new(parts: &[&str]) -> Self {
        let code = parts.concat();
        Self { sha: redis::Script::new(&code).get_hash().to_owned(), code }
    }

    /// The command that runs a script which Redis knows.
    pub(super) fn evalsha(&self) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&self.sha);
        command
    }

    /// The command that loads the script and runs it.
    pub(super) fn eval(&self) -> Cmd {
        let mut command = redis::cmd("EVAL");
        command.arg(&self.code);
        command
    }
}
