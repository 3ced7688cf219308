//! `openapi`: the OpenAPI 3.1 document.

use std::io::Write;

use super::Failure;

/// Prints the document.
pub fn run(document: &[u8], out: &mut dyn Write) -> Result<(), Failure> {
    out.write_all(document).and_then(|()| out.flush()).map_err(|cause| {
        Failure::other(format!("the document could not be printed ({cause}); check where the output goes"))
    })
}
