use std::convert::Infallible;

use http::{Request, Response};
use tonic::body::Body;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceExt};

/// An error of a link, whatever carries it. Generated clients turn it into a status.
///
/// A type of its own, because futures that hold a boxed error directly are not `Send` in the eyes of
/// the compiler once they are generic.
#[derive(Debug, thiserror::Error)]
#[error("no answer over the link")]
pub struct LinkError(#[source] pub(crate) BoxError);

/// A way to one service, in this process or across the network; cheap to clone.
pub type Link = BoxCloneSyncService<Request<Body>, Response<Body>, LinkError>;

/// A link to a server in this process: no socket, the same middleware, the same encoding.
pub fn local<S>(server: S) -> Link
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
{
    BoxCloneSyncService::new(server.map_err(|never| match never {}))
}

#[cfg(test)]
mod tests {
    use gyre_proto::gateway::gateway_service_client::GatewayServiceClient;
    use gyre_proto::gateway::{DisconnectRequest, InfoRequest};

    use super::*;
    use crate::with_deadline;

    mod fake {
        //! A gateway that finds seven connections, and never finishes an `info`.

        use gyre_proto::gateway::gateway_service_server::{GatewayService, GatewayServiceServer};
        use gyre_proto::gateway::{
            ChannelsRequest, ChannelsResponse, ConnectionsRequest, ConnectionsResponse,
            DisconnectRequest, DisconnectResponse, DrainRequest, DrainResponse, EmulateRequest,
            EmulateResponse, FollowAccessRequest, FollowAccessResponse, InfoRequest, InfoResponse,
            NewestRequest, NewestResponse, RefreshRequest, RefreshResponse, RevokeRequest,
            RevokeResponse, SubscribeRequest, SubscribeResponse, UnsubscribeRequest,
            UnsubscribeResponse,
        };
        use tonic::{Request, Response, Result, Status};

        #[derive(Debug)]
        pub(super) struct Gateway;

        pub(super) fn server() -> GatewayServiceServer<Gateway> {
            GatewayServiceServer::new(Gateway)
        }

        #[tonic::async_trait]
        impl GatewayService for Gateway {
            async fn disconnect(
                &self,
                _request: Request<DisconnectRequest>,
            ) -> Result<Response<DisconnectResponse>> {
                Ok(Response::new(DisconnectResponse { matched: 7 }))
            }

            async fn info(&self, _request: Request<InfoRequest>) -> Result<Response<InfoResponse>> {
                std::future::pending().await
            }

            async fn emulate(
                &self,
                _request: Request<EmulateRequest>,
            ) -> Result<Response<EmulateResponse>> {
                Err(Status::unimplemented("fake"))
            }

            async fn newest(
                &self,
                _request: Request<NewestRequest>,
            ) -> Result<Response<NewestResponse>> {
                Err(Status::unimplemented("fake"))
            }

            async fn follow_access(
                &self,
                _request: Request<FollowAccessRequest>,
            ) -> Result<Response<FollowAccessResponse>> {
                Err(Status::unimplemented("fake"))
            }

            async fn revoke(
                &self,
                _request: Request<RevokeRequest>,
            ) -> Result<Response<RevokeResponse>> {
                Err(Status::unimplemented("fake"))
            }

            async fn channels(
                &self,
                _request: Request<ChannelsRequest>,
            ) -> Result<Response<ChannelsResponse>> {
                Err(Status::unimplemented("fake"))
            }

            async fn connections(
                &self,
                _request: Request<ConnectionsRequest>,
            ) -> Result<Response<ConnectionsResponse>> {
                Err(Status::unimplemented("fake"))
            }

            async fn subscribe(
                &self,
                _request: Request<SubscribeRequest>,
            ) -> Result<Response<SubscribeResponse>> {
                Err(Status::unimplemented("fake"))
            }

            async fn unsubscribe(
                &self,
                _request: Request<UnsubscribeRequest>,
            ) -> Result<Response<UnsubscribeResponse>> {
                Err(Status::unimplemented("fake"))
            }

            async fn refresh(
                &self,
                _request: Request<RefreshRequest>,
            ) -> Result<Response<RefreshResponse>> {
                Err(Status::unimplemented("fake"))
            }

            async fn drain(
                &self,
                _request: Request<DrainRequest>,
            ) -> Result<Response<DrainResponse>> {
                Err(Status::unimplemented("fake"))
            }
        }
    }

    #[tokio::test]
    async fn local_link_reaches_the_service() {
        let mut client = GatewayServiceClient::new(local(fake::server()));
        let answer = client.disconnect(DisconnectRequest::default()).await;
        assert_eq!(answer.unwrap().into_inner().matched, 7);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_ends_what_does_not_answer() {
        let link = with_deadline(local(fake::server()), std::time::Duration::from_secs(3));
        let mut client = GatewayServiceClient::new(link);
        let started = tokio::time::Instant::now();
        let status = client.info(InfoRequest {}).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::DeadlineExceeded);
        assert_eq!(started.elapsed().as_secs(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_may_ask_for_less_time_but_not_for_more() {
        let link = with_deadline(local(fake::server()), std::time::Duration::from_secs(3));
        let mut client = GatewayServiceClient::new(link);
        for (asked, waited) in [(1, 1), (9, 3)] {
            let mut request = tonic::Request::new(InfoRequest {});
            request.set_timeout(std::time::Duration::from_secs(asked));
            let started = tokio::time::Instant::now();
            let status = client.info(request).await.unwrap_err();
            assert_eq!(status.code(), tonic::Code::DeadlineExceeded);
            assert_eq!(started.elapsed().as_secs(), waited);
        }
    }

    #[tokio::test]
    async fn a_remote_that_is_not_there_is_unavailable() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let link = crate::remote(&address.to_string(), None).unwrap();
        let mut client = GatewayServiceClient::new(link);
        let status = client.info(InfoRequest {}).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::Unavailable);
        assert_eq!(crate::kind(status.code()), gyre_types::Kind::Unavailable);
    }
}
