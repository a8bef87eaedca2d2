//! `rootstock doctor`: says what this machine computes with, asks every service how it is, and says which one to look at.

mod machine;

use std::time::{Duration, Instant};

use clap::Args;
use rootstock_client::Service;
use serde::Serialize;

use machine::Machine;

use crate::figures::rounded;
use crate::table::Tabular;
use crate::{CliError, Context};

/// How long a service may take to say that it is serving.
const PATIENCE: Duration = Duration::from_secs(2);

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Print a JSON object with `machine` and `services`
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Finding {
    service: &'static str,
    endpoint: String,
    serving: bool,
    #[serde(serialize_with = "rounded")]
    milliseconds: f64,
    problem: String,
}

impl Tabular for Finding {
    const HEADER: &'static [&'static str] = &["SERVICE", "ENDPOINT", "SERVING", "MS"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.service.to_owned(),
            self.endpoint.clone(),
            if self.serving { "yes" } else { "no" }.to_owned(),
            format!("{:.1}", self.milliseconds),
        ]
    }
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    machine: &'a Machine,
    services: &'a [Finding],
}

pub(crate) async fn run(args: DoctorArgs, context: &Context) -> Result<(), CliError> {
    let machine = tokio::task::spawn_blocking(Machine::examine);
    let machine = machine.await.map_err(|error| CliError::refused(format!("this machine: {error}")))??;
    let examined = Service::ALL.map(|service| examine(context, service));
    let findings = futures::future::join_all(examined).await;
    if args.json {
        context.json(&Report { machine: &machine, services: &findings })?;
    } else {
        machine.lines().into_iter().try_for_each(|line| context.line(line))?;
        context.line("")?;
        context.list(&findings, false)?;
    }
    for problem in problems(&findings) {
        context.note(problem);
    }
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
    let problem = answer.as_ref().err().map(ToString::to_string).unwrap_or_default();
    // The name has a column of its own, and the same problem of two services is one.
    let problem = problem.strip_prefix(service.health_name()).unwrap_or(&problem).trim_start();
    Finding {
        service: service.health_name(),
        endpoint: context.address(service),
        serving: answer.is_ok(),
        milliseconds: asked.elapsed().as_secs_f64() * 1000.0,
        problem: problem.to_owned(),
    }
}

/// Each problem once, with the services that have it where not all have.
fn problems(findings: &[Finding]) -> Vec<String> {
    let mut told: Vec<(&str, Vec<&str>)> = Vec::new();
    for Finding { service, problem, .. } in findings.iter().filter(|finding| !finding.serving) {
        match told.iter_mut().find(|(known, _)| known == problem) {
            Some((_, services)) => services.push(service),
            None => told.push((problem, vec![service])),
        }
    }
    let all = |services: &[&str]| services.len() == findings.len();
    let line = |(problem, services): (&str, Vec<&str>)| {
        let who = if all(&services) { "every service".to_owned() } else { services.join(", ") };
        format!("{who} {problem}")
    };
    told.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn down(service: &'static str, problem: &str) -> Finding {
        let (endpoint, problem) = ("http://h:1".to_owned(), problem.to_owned());
        Finding { service, endpoint, serving: false, milliseconds: 1.0, problem }
    }

    #[test]
    fn a_cause_that_is_shared_is_told_once() {
        let all = [down("a", "at http://h:1 is not serving"), down("b", "at http://h:1 is not serving")];
        assert_eq!(problems(&all), ["every service at http://h:1 is not serving"]);
        let one = [Finding { serving: true, ..down("a", "") }, down("b", "at http://h:1 is not serving")];
        assert_eq!(problems(&one), ["b at http://h:1 is not serving"]);
    }
}
