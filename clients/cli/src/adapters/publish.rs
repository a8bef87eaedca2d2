//! `rootstock adapters publish`: new requests get the version from here on, or a share of them; running ones do as is said.
use std::time::Duration;

use clap::{Args, ValueEnum};
use rootstock_artifacts::Kind;
use rootstock_client::proto::common::v1::RunningRequests;
use rootstock_client::proto::inference::v1::PublishAdapterRequest;
use rootstock_client::{ClientError, ErrorReason};

use super::served::Swapped;
use crate::progress::Meter;
use crate::{CliError, Context, names};

/// Publishing may have to load the base model first.
pub(super) const DEADLINE: Duration = Duration::from_secs(300);

/// Arguments of `adapters publish`.
#[derive(Debug, Args)]
pub struct PublishArgs {
    /// The adapter
    name: String,
    /// The version [default: the newest]
    #[arg(long, value_name = "D")]
    digest: Option<String>,
    /// Publish only if the name is at this generation (0: nothing is published)
    #[arg(long, value_name = "G")]
    expected_generation: Option<i64>,
    /// Try the version on this share of the requests, above 0 and below 1, beside the present one
    #[arg(long, value_name = "S", conflicts_with = "running", allow_negative_numbers = true)]
    canary_share: Option<f64>,
    /// What requests under way do: finish on their version, switch to this one at the next token, or abort
    #[arg(long, value_name = "R", value_enum, default_value_t)]
    running: Running,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// What requests under way do.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Running {
    #[default]
    Finish,
    Switch,
    Abort,
}

impl From<Running> for RunningRequests {
    fn from(running: Running) -> Self {
        match running {
            // The default, which a canary must leave out.
            Running::Finish => Self::Unspecified,
            Running::Switch => Self::Switch,
            Running::Abort => Self::Abort,
        }
    }
}

pub(crate) async fn run(args: PublishArgs, context: &Context) -> Result<(), CliError> {
    let name = names::alias(Kind::Adapter, &args.name)?;
    let digest = match &args.digest {
        Some(digest) => names::stored_digest(context, Some(Kind::Adapter), digest).await?,
        None => newest(context, &name).await?,
    };
    let meter = Meter::waiting(format!("publishing {name}"));
    let adapters = context.clients().with_deadline(DEADLINE).adapters();
    let request = PublishAdapterRequest {
        name,
        digest,
        expected_generation: args.expected_generation,
        canary_share: args.canary_share,
        running_requests: RunningRequests::from(args.running).into(),
    };
    let published = adapters.publish(request).await;
    meter.clear();
    let published = published.map_err(|error| hinted(error, args.expected_generation))?;
    context.show(&Swapped::new(published.adapter, published.swap_ms)?, args.json)
}

/// What to do when the name is at another generation than the one expected.
fn hinted(error: ClientError, expected: Option<i64>) -> CliError {
    let hint = match expected {
        Some(0) if error.is(ErrorReason::AliasMoved) => {
            "--expected-generation 0 is for an adapter that isn't published, and this one is; give the generation that \
             `rootstock adapters list` shows, or leave the flag out"
        }
        Some(_) if error.is(ErrorReason::AliasMoved) => {
            "`rootstock adapters list` shows its generation; without the flag it is published in any case"
        }
        _ => return error.into(),
    };
    CliError::hinted(error, hint)
}

async fn newest(context: &Context, name: &str) -> Result<String, CliError> {
    let versions = context.clients().checkpoint().list_artifacts(Some(name), Some(Kind::Adapter)).await?;
    versions.into_iter().next().map(|version| version.digest).ok_or_else(|| {
        CliError::refused(format!(
            "{name} has no version; train one with `rootstock train` or store one with `rootstock adapters import`"
        ))
    })
}
