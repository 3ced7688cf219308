//! `openapi`: the OpenAPI 3.1 document.

use std::io::Write;

use super::{Failure, output::print};

/// Prints the document.
pub(crate) fn run(document: &[u8], out: &mut dyn Write) -> Result<(), Failure> {
    print("document", document, out)
}
