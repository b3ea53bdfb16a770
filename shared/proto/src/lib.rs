//! Generated from `proto/` by `build.rs`.
//!
//! The modules are nested as the packages are; [`api`], [`proxy`] and [`gateway`] are the short ways in.

#![forbid(unsafe_code)]

/// Packages that existing clients are generated from.
pub mod centrifugal {
    /// The server API, and events to the application backend.
    pub mod centrifugo {
        /// `proto/centrifugal/centrifugo/api/api.proto`
        pub mod api {
            tonic::include_proto!("centrifugal.centrifugo.api");
        }
        /// `proto/centrifugal/centrifugo/proxy/proxy.proto`
        pub mod proxy {
            tonic::include_proto!("centrifugal.centrifugo.proxy");
        }
        /// `proto/centrifugal/centrifugo/unistream/unistream.proto`
        pub mod unistream {
            tonic::include_proto!("centrifugal.centrifugo.unistream");
        }
    }
}

/// Packages of our own.
pub mod gyre {
    /// Connections of clients.
    pub mod client {
        /// `proto/gyre/client/v1/client.proto`
        pub mod v1 {
            tonic::include_proto!("gyre.client.v1");
        }
    }
    /// Calls to gateways.
    pub mod gateway {
        /// `proto/gyre/gateway/v1/gateway.proto`
        pub mod v1 {
            tonic::include_proto!("gyre.gateway.v1");
        }
    }
}

pub use centrifugal::centrifugo::{api, proxy, unistream};
pub use gyre::client::v1 as client;
pub use gyre::gateway::v1 as gateway;

/// The encoded `FileDescriptorSet` of every file above, for reflection and for tests.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
