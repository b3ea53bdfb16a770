//! `uni_grpc` and `client_grpc`: streams of clients over gRPC.

use crate::sections::tls::Tls;
use crate::tree::options;
use crate::values::ByteSize;

options! {
    /// A gRPC stream to clients that send nothing after their request.
    pub struct UniGrpc {
        /// Serves the stream.
        enabled: bool;
        /// Address to listen on: an IP address or a host name. Empty: all interfaces.
        address: String;
        /// Port. Range: 1 to 65535.
        port: u16 = 11_000;
        /// TLS of the port.
        tls: Tls;
        /// Longest request message. Unit: bytes. 0: 4 MiB.
        max_receive_message_size: ByteSize;
        /// Sends small messages without the padding that keeps readers from taking many of them for a
        /// flood of frames. Saves up to 256 bytes a message.
        disable_padding: bool;
    }
}

options! {
    /// A gRPC stream that goes both ways, with the messages of the client protocol.
    pub struct ClientGrpc {
        /// Serves the stream.
        enabled: bool;
        /// Address to listen on: an IP address or a host name. Empty: all interfaces.
        address: String;
        /// Port. May be that of `uni_grpc`. Range: 1 to 65535.
        port: u16 = 11_000;
        /// TLS of the port.
        tls: Tls;
        /// Longest command. Unit: bytes. 0: 65536.
        max_receive_message_size: ByteSize;
        /// Sends small messages without the padding that keeps readers from taking many of them for a
        /// flood of frames. Saves up to 256 bytes a message.
        disable_padding: bool;
    }
}
