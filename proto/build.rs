//! Compiles the contracts without an installed protoc.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=agent");
    println!("cargo:rerun-if-changed=plane");
    let files = protox::compile(["agent/v1/agent.proto", "plane/v1/plane.proto"], ["."])?;
    tonic_prost_build::configure().bytes(".").compile_fds(files)?;
    Ok(())
}
