//! `rootstock doctor`: asks every service how it is, and says which one to look at.
use std::time::{Duration, Instant};

use clap::Args;
use rootstock_client::Service;
use serde::Serialize;

use crate::table::Tabular;
use crate::{CliError, Context};

/// How long a service may take to say that it is serving.
const PATIENCE: Duration = Duration::from_secs(2);

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Finding {
    service: &'static str,
    endpoint: String,
    serving: bool,
    milliseconds: f64,
    problem: String,
}

impl Tabular for Finding {
    const HEADER: &'static [&'static str] = &["SERVICE", "ENDPOINT", "SERVING", "MS", "PROBLEM"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.service.to_owned(),
            self.endpoint.clone(),
            if self.serving { "yes" } else { "no" }.to_owned(),
            format!("{:.1}", self.milliseconds),
            self.problem.clone(),
        ]
    }
}

pub(crate) async fn run(args: DoctorArgs, context: &Context) -> Result<(), CliError> {
    let mut findings = Vec::with_capacity(Service::ALL.len());
    for service in Service::ALL {
        findings.push(examine(context, service).await);
    }
    context.list(&findings, args.json)?;
    match findings.iter().filter(|finding| !finding.serving).count() {
        0 => Ok(()),
        count => Err(CliError::refused(format!(
            "{count} of {} services are not serving; start them with `rootstock serve`, or name another server with \
             --endpoint",
            findings.len()
        ))),
    }
}

async fn examine(context: &Context, service: Service) -> Finding {
    let asked = Instant::now();
    let answer = context.clients().wait_ready_for(&[service], PATIENCE).await;
    Finding {
        service: service.health_name(),
        endpoint: context.address(service),
        serving: answer.is_ok(),
        milliseconds: asked.elapsed().as_secs_f64() * 1000.0,
        problem: answer.err().map(|error| error.to_string()).unwrap_or_default(),
    }
}
