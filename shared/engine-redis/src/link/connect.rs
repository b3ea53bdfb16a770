use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::{AsyncPushSender, MultiplexedConnection};
use redis::{AsyncConnectionConfig, ProtocolVersion, RedisConnectionInfo, RedisError};
use rustls::pki_types::{InvalidDnsNameError, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::Address;
use crate::options::Access;

/// Commands that wait for the connection's driver before senders wait themselves.
const PIPELINE_COMMANDS: usize = 1024;

/// Opens connections.
#[derive(Clone)]
pub(crate) struct Connector {
    pub(crate) access: Access,
    pub(crate) connect_timeout: Duration,
}

/// A connection that works as long as its driver is polled.
pub(crate) struct Opened {
    pub(crate) connection: MultiplexedConnection,
    pub(crate) driver: Driver,
}

/// Moves a connection's bytes; ends with the connection.
pub(crate) type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("no connection within {0:?}")]
    Timeout(Duration),
    #[error("{0}")]
    Socket(#[from] std::io::Error),
    #[error("{0}")]
    Refused(#[from] RedisError),
    #[error("the host has no name that TLS could check: {0}")]
    Name(#[from] InvalidDnsNameError),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Connector {
    /// Opens a connection. What arrives unasked goes to `push`.
    pub(crate) async fn open(
        &self,
        address: &Address,
        push: Option<Arc<dyn AsyncPushSender>>,
    ) -> Result<Opened, ConnectError> {
        let opening = Box::pin(self.open_slowly(address, push));
        timeout(self.connect_timeout, opening)
            .await
            .map_err(|_| ConnectError::Timeout(self.connect_timeout))?
    }

    async fn open_slowly(
        &self,
        address: &Address,
        push: Option<Arc<dyn AsyncPushSender>>,
    ) -> Result<Opened, ConnectError> {
        let stream = self.stream(address).await?;
        let mut config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            // Deadlines are those of operations.
            .set_response_timeout(None)
            .set_pipeline_buffer_size(PIPELINE_COMMANDS);
        if let Some(push) = push {
            config = config.set_push_sender(move |info| push.send(info));
        }
        let (mut connection, driver) =
            MultiplexedConnection::new_with_config(&self.introduction(), stream, config).await?;
        let mut driver: Driver = Box::pin(driver);
        if !self.access.client_name.is_empty() {
            let mut name = redis::cmd("CLIENT");
            name.arg("SETNAME").arg(&self.access.client_name);
            tokio::select! {
                named = connection.send_packed_command(&name) => {
                    named.and_then(redis::Value::extract_error)?;
                }
                () = &mut driver => return Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe).into()),
            }
        }
        Ok(Opened { connection, driver })
    }

    fn introduction(&self) -> RedisConnectionInfo {
        let mut introduction = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP3)
            .set_db(self.access.db)
            .set_lib_name("gyre", env!("CARGO_PKG_VERSION"));
        if !self.access.user.is_empty() {
            introduction = introduction.set_username(&self.access.user);
        }
        if !self.access.password.is_empty() {
            introduction = introduction.set_password(self.access.password.expose());
        }
        introduction
    }

    async fn stream(&self, address: &Address) -> Result<Box<dyn Stream>, ConnectError> {
        match address {
            Address::Unix { path } => Ok(Box::new(UnixStream::connect(&**path).await?)),
            Address::Tcp { host, port } => {
                let stream = TcpStream::connect((&**host, *port)).await?;
                stream.set_nodelay(true)?;
                let Some(tls) = &self.access.tls else {
                    return Ok(Box::new(stream));
                };
                let name = ServerName::try_from(host.to_string())?;
                let stream = TlsConnector::from(Arc::clone(tls))
                    .connect(name, stream)
                    .await?;
                Ok(Box::new(stream))
            }
        }
    }
}
