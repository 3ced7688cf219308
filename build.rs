//! Generates code from the protos: messages with their JSON, the gRPC services, the JSON routes, the policy table and
//! the OpenAPI document. No protoc is needed; see `proto/codegen.rs`. Generates the list of the pages' languages from
//! the files with their texts.

#[path = "proto/codegen.rs"]
mod codegen;

use std::{env, error::Error, fs, path::Path};

/// One JSON file for each language, named by its tag (BCP 47).
const TEXTS: &str = "src/http/pages/texts";

fn main() -> Result<(), Box<dyn Error>> {
    codegen::run()?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("languages.rs"), languages()?)?;
    Ok(())
}

/// An array of all languages: English, which is the default, and the others by their tags.
fn languages() -> Result<String, Box<dyn Error>> {
    println!("cargo::rerun-if-changed={TEXTS}");
    let mut files = fs::read_dir(TEXTS)?.map(|file| Ok(file?.path())).collect::<Result<Vec<_>, std::io::Error>>()?;
    let tag = |file: &Path| file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    files.sort_by_key(|file| (tag(file) != "en", tag(file)));
    let root = env::var("CARGO_MANIFEST_DIR")?;
    let members = files.iter().map(|file| {
        let path = Path::new(&root).join(file);
        let path = path.display().to_string();
        format!("LanguageFile {{ tag: {:?}, texts: include_str!({path:?}) }},\n", tag(file))
    });
    Ok(format!("const FILES: [LanguageFile; {}] = [\n{}];\n", files.len(), members.collect::<String>()))
}
