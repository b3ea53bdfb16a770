//! Compiles `proto/` without an installed `protoc`.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use prost::Message;

const ROOT: &str = "../../proto";
const FILES: [&str; 5] = [
    "centrifugal/centrifugo/api/api.proto",
    "centrifugal/centrifugo/proxy/proxy.proto",
    "centrifugal/centrifugo/unistream/unistream.proto",
    "gyre/client/v1/client.proto",
    "gyre/gateway/v1/gateway.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={ROOT}");
    let descriptors = protox::compile(FILES, [ROOT])?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let mut published = descriptors.clone();
    for file in &mut published.file {
        file.source_code_info = None;
    }
    fs::write(out.join("descriptors.bin"), published.encode_to_vec())?;
    tonic_prost_build::configure()
        .build_transport(false)
        // Payloads are slices of the received frame; maps print in a stable order.
        .bytes(".")
        .btree_map(".")
        // A batch's command has 39 alternatives; inline they would make 6 KB of mostly nothing.
        .boxed(".centrifugal.centrifugo.api.Command")
        .boxed(".centrifugal.centrifugo.api.Reply")
        .compile_fds(descriptors)?;
    Ok(())
}
