//! Generates code from the protos: messages with their JSON, the gRPC services, the JSON routes, the policy table and
//! the OpenAPI document. No protoc is needed; see `proto/codegen.rs`.

#[path = "proto/codegen.rs"]
mod codegen;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    codegen::run()
}
