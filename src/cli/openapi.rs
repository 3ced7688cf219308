//! `openapi`: the OpenAPI 3.1 document; `descriptors`: the protos, compiled.

use std::io::Write;

use super::{error::CommandError, output::print_document};

pub(crate) fn run(document: &[u8], out: &mut dyn Write) -> Result<(), CommandError> {
    print_document("document", document, out)
}
