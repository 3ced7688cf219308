//! Generates the messages and clients of the services that the example calls.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let protos = "../..";
    println!("cargo::rerun-if-changed={protos}/dify");
    let files = ["app", "device_flow", "identity"].map(|name| format!("dify/openapi/v1/{name}.proto"));
    let descriptors = protox::compile(files, [protos])?;
    tonic_prost_build::configure().build_server(false).compile_fds(descriptors)?;
    Ok(())
}
