//! What every verb works with: the connection to the services and where results go.
use std::io::Write;

use clap::Args;
use rootstock_client::{Clients, Endpoints, Service};
use serde::Serialize;

use crate::CliError;
use crate::table::{self, Tabular};

/// Which server to talk to.
#[derive(Clone, Debug, Default, Args)]
pub struct ConnectArgs {
    /// The server, as http://HOST:PORT [env: ROOTSTOCK_ENDPOINT] [default: http://127.0.0.1:7400]
    #[arg(long, global = true, value_name = "URL")]
    pub endpoint: Option<String>,
}

/// What every verb works with.
#[derive(Clone, Debug)]
pub struct Context {
    clients: Clients,
    endpoints: Endpoints,
    quiet: bool,
}

impl Context {
    /// Connects lazily: nothing is sent before the first call. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When an address is none.
    pub fn new(args: &ConnectArgs) -> Result<Self, CliError> {
        let endpoints = match &args.endpoint {
            Some(address) => Endpoints::single(address),
            None => Endpoints::from_env(),
        }?;
        let clients = Clients::new(endpoints.clone())?;
        Ok(Self { clients, endpoints, quiet: false })
    }

    /// The same for work that is part of something else: transfers show no progress, and notes are left out.
    #[must_use]
    pub fn quiet(self) -> Self {
        Self { quiet: true, ..self }
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    pub(crate) fn clients(&self) -> &Clients {
        &self.clients
    }

    pub(crate) fn address(&self, service: Service) -> String {
        self.endpoints.of(service).to_string().trim_end_matches('/').to_owned()
    }

    /// The address that errors name: one for all services, or those there are.
    pub fn endpoint(&self) -> String {
        let mut addresses: Vec<String> = Vec::new();
        for address in Service::ALL.map(|service| self.address(service)) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses.join(" or ")
    }

    /// One line of result.
    pub(crate) fn line(&self, text: impl AsRef<str>) -> Result<(), CliError> {
        self.write(&format!("{}\n", text.as_ref()))
    }

    /// A piece of result, as it is.
    pub(crate) fn write(&self, text: &str) -> Result<(), CliError> {
        let mut out = std::io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        written.map_err(|source| CliError::io("standard output", source))
    }

    /// A value as one line of JSON.
    pub(crate) fn json<T: Serialize>(&self, value: &T) -> Result<(), CliError> {
        let text = serde_json::to_string(value)
            .map_err(|error| CliError::io("the result", std::io::Error::other(error)))?;
        self.line(text)
    }

    /// Rows as a table, or the same as a JSON array.
    pub(crate) fn list<T: Tabular>(&self, rows: &[T], json: bool) -> Result<(), CliError> {
        if json { self.json(&rows) } else { self.line(table::list(rows)) }
    }

    /// One thing as a table of its fields, or the same as a JSON object.
    pub(crate) fn show<T: Tabular>(&self, thing: &T, json: bool) -> Result<(), CliError> {
        if json { self.json(thing) } else { self.line(table::fields(thing)) }
    }

    /// Something that a person may want to know, and no result.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        if !self.quiet {
            eprintln!("{}", text.as_ref());
        }
    }
}
