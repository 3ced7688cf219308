//! The generator behind `build.rs`: reads `proto/`, writes Rust and JSON into `OUT_DIR`.
//!
//! * `model` reads methods and their policies from the descriptors, and rejects a method without a policy; `binding` reads
//!   their HTTP forms, `operation` their entries in the catalog
//! * `serde_attributes` gives messages the JSON of contract section 6
//! * `descriptors` writes what reflection serves
//! * `doors` writes the policy table, the JSON routes and the binding of query, path and form
//! * `catalog` writes the catalogs of all deployments
//! * `openapi` writes the OpenAPI 3.1 documents, with `description` for texts, `schema` for messages, `error_responses`,
//!   `error_schemas` and `method_kinds` for errors, `run` for runs and `upload` for uploads

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use prost::Message as _;

use self::openapi::Audience;

#[path = "codegen/binding.rs"]
mod binding;
#[path = "codegen/catalog.rs"]
mod catalog;
#[path = "codegen/description.rs"]
mod description;
#[path = "codegen/descriptors.rs"]
mod descriptors;
#[path = "codegen/doors.rs"]
mod doors;
#[path = "codegen/error_bodies.rs"]
mod error_bodies;
#[path = "codegen/error_responses.rs"]
mod error_responses;
#[path = "codegen/error_schemas.rs"]
mod error_schemas;
#[path = "codegen/method_kinds.rs"]
mod method_kinds;
#[path = "codegen/model.rs"]
mod model;
#[path = "codegen/openapi.rs"]
mod openapi;
#[path = "codegen/operation.rs"]
mod operation;
#[path = "codegen/run.rs"]
mod run;
#[path = "codegen/schema.rs"]
mod schema;
#[path = "codegen/serde_attributes.rs"]
mod serde_attributes;
#[path = "codegen/upload.rs"]
mod upload;

/// The one package of the contract.
pub(crate) const PACKAGE: &str = "dify.openapi.v1";

pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    // The examples beside them change nothing here.
    for path in ["proto/dify", "proto/google", "proto/codegen", "proto/codegen.rs", "build.rs"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);

    let folder = "proto/dify/openapi/v1";
    let mut files: Vec<String> = fs::read_dir(folder)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| Path::new(name).extension().is_some_and(|kind| kind == "proto"))
        .map(|name| format!("dify/openapi/v1/{name}"))
        .collect();
    files.sort();

    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true).open_files(&files)?;
    let encoded = compiler.encode_file_descriptor_set();

    let pool = compiler.descriptor_pool();
    let methods = model::methods(&pool)?;
    fs::write(out.join("descriptors.bin"), descriptors::without_json_only(&encoded, &pool, &methods)?)?;
    fs::write(out.join("policies.rs"), doors::policy_table(&methods))?;
    fs::write(out.join("doors.rs"), doors::json_door(&methods, &pool))?;
    fs::write(out.join("rpc_names.rs"), doors::rpc_names(&methods))?;
    for (file, audience, enterprise) in [
        ("openapi.json", Audience::Public, false),
        ("openapi_enterprise.json", Audience::Public, true),
        ("openapi_internal.json", Audience::Internal, false),
        ("openapi_internal_enterprise.json", Audience::Internal, true),
    ] {
        let document = openapi::document(&methods, audience, enterprise);
        fs::write(out.join(file), serde_json::to_string_pretty(&document)?)?;
    }

    for deployment in &catalog::DEPLOYMENTS {
        fs::write(out.join(deployment.file), catalog::document(&methods, deployment)?)?;
    }

    let mut config = prost_build::Config::new();
    config.extern_path(".google.protobuf.Timestamp", "crate::rpc::timestamp::Timestamp");
    config.extern_path(".google.protobuf.Struct", "crate::rpc::json::Object");
    serde_attributes::apply(&mut config, &methods, &pool);
    config.skip_debug([format!(".{PACKAGE}")]);
    tonic_prost_build::configure()
        .build_transport(false)
        .compile_fds_with_config(prost_types::FileDescriptorSet::decode(encoded.as_slice())?, config)?;
    Ok(())
}
