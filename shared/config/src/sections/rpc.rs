//! `rpc`: calls from clients to the application backend.

use super::proxy::Proxy;
use crate::tree::{Item, options};

options! {
    /// Calls from clients.
    pub struct Rpc {
        /// The application backend that is called, where a namespace names none of `proxies`.
        proxy: Proxy;
        /// Rules for methods without a namespace.
        without_namespace: RpcOptions;
        /// Rules for methods of a namespace.
        namespaces: Vec<RpcNamespace>;
        /// A method that the server answers itself.
        ping: RpcPing;
        /// What separates the namespace from the rest of a method's name.
        namespace_boundary: String = ":".to_owned();
    }
}

options! {
    /// A namespace of methods.
    pub struct RpcNamespace {
        /// Name of the namespace: 2 or more of letters, digits, `-`, `_`, `.`; unique.
        name: String;
        flatten
        /// What holds for the methods.
        options: RpcOptions;
    }
}

options! {
    /// What holds for the methods of a namespace.
    pub struct RpcOptions {
        /// Asks the application backend.
        proxy_enabled: bool;
        /// Which of `proxies` is asked; `default` is `rpc.proxy`.
        proxy_name: String = "default".to_owned();
    }
}

options! {
    /// A method that answers at once with nothing, to measure the way to the server and back.
    pub struct RpcPing {
        /// Serves the method.
        enabled: bool;
        /// Name of the method.
        method: String = "ping".to_owned();
    }
}

impl Item for RpcNamespace {
    const NAMED: bool = true;
}
