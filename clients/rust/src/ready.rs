//! Waiting until services answer that they are serving.
use std::time::Duration;

use http::Uri;
use tokio::time::Instant;
use tonic::transport::Channel;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::{ClientError, Clients, Service};

/// How often a service is asked.
const POLL: Duration = Duration::from_millis(50);
/// Deadline of one question.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

impl Clients {
    /// Waits until all services are serving.
    ///
    /// # Errors
    /// When one is not after `timeout`; the message names it.
    pub async fn wait_ready(&self, timeout: Duration) -> Result<(), ClientError> {
        self.wait_ready_for(&Service::ALL, timeout).await
    }

    /// Waits until these services are serving.
    ///
    /// # Errors
    /// As [`wait_ready`](Self::wait_ready).
    pub async fn wait_ready_for(&self, services: &[Service], timeout: Duration) -> Result<(), ClientError> {
        let deadline = Instant::now() + timeout;
        for service in services {
            let (uri, channel) = self.channel(*service);
            while let Err(problem) = check(channel.clone(), *service).await {
                if Instant::now() + POLL > deadline {
                    return Err(not_ready(*service, &uri, timeout, &problem));
                }
                tokio::time::sleep(POLL).await;
            }
        }
        Ok(())
    }
}

async fn check(channel: Channel, service: Service) -> Result<(), String> {
    let mut request = Request::new(HealthCheckRequest { service: service.health_name().into() });
    request.set_timeout(CHECK_TIMEOUT);
    match HealthClient::new(channel).check(request).await {
        Ok(answer) => match answer.into_inner().status() {
            ServingStatus::Serving => Ok(()),
            status => Err(status.as_str_name().to_owned()),
        },
        Err(status) => Err(status.message().to_owned()),
    }
}

fn not_ready(service: Service, uri: &Uri, timeout: Duration, problem: &str) -> ClientError {
    let message = format!(
        "{} at {uri} is not serving after {timeout:?} ({problem}); is `rootstock serve` running there?",
        service.health_name()
    );
    ClientError::plain(Code::DeadlineExceeded, message)
}
