use bytes::Bytes;

message! {
    /// Calls the backend.
    pub struct RpcRequest {
        /// Payload.
        1 data: Bytes,
        /// Method.
        2 method: String,
    }
}

message! {
    /// Answer to [`RpcRequest`].
    pub struct RpcResult {
        /// Payload.
        1 data: Bytes,
    }
}

message! {
    /// A message to the server that has no answer.
    pub struct SendRequest {
        /// Payload.
        1 data: Bytes,
    }
}

message! {
    /// Reserved on the wire; pings are empty frames.
    pub struct PingRequest {}
}

message! {
    /// Reserved on the wire; pings are empty frames.
    pub struct PingResult {}
}

message! {
    /// Body of the emulation endpoint: frames of a client whose transport only goes down.
    pub struct EmulationRequest {
        /// Node that holds the connection.
        1 node: String,
        /// Secret name of the session.
        2 session: String,
        /// Commands. On JSON: a JSON string that holds them.
        3 data: Bytes,
    }
}
