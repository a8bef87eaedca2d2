//! `rootstock adapters watch`: where the adapters are and who uses them, as it changes: a table that is drawn anew on a
//! terminal, a line of JSON for each change elsewhere.
use std::collections::BTreeMap;
use std::io::IsTerminal;

use clap::Args;
use futures::StreamExt;
use rootstock_client::proto::inference::v1::WatchAdaptersResponse;
use serde::Serialize;

use super::served::Served;
use crate::{CliError, Context, table};

/// Moves a terminal to its first line and clears what is below.
const CLEAR: &str = "\u{1b}[H\u{1b}[J";

/// Arguments of `adapters watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Print a line of JSON for each change, on a terminal too
    #[arg(long)]
    json: bool,
}

/// An adapter that is published no more.
#[derive(Debug, Serialize)]
struct Retired {
    name: String,
    retired: bool,
}

pub(crate) async fn run(args: WatchArgs, context: &Context) -> Result<(), CliError> {
    let draws = !args.json && std::io::stdout().is_terminal();
    let mut changes = context.clients().adapters().watch_adapters().await?;
    let mut adapters = BTreeMap::new();
    while let Some(change) = changes.next().await {
        let change = change?;
        if draws {
            let totals = totals(&change);
            let is_whole = change.synced;
            apply(&mut adapters, change);
            if is_whole {
                draw(context, &adapters, &totals)?;
            }
        } else {
            tell(context, change)?;
        }
    }
    Ok(())
}

fn tell(context: &Context, change: WatchAdaptersResponse) -> Result<(), CliError> {
    for adapter in change.adapters {
        context.json(&Served::from(adapter))?;
    }
    for name in change.retired_names {
        context.json(&Retired { name, retired: true })?;
    }
    Ok(())
}

fn apply(adapters: &mut BTreeMap<String, Served>, change: WatchAdaptersResponse) {
    adapters.extend(change.adapters.into_iter().map(|adapter| (adapter.name.clone(), adapter.into())));
    for name in change.retired_names {
        adapters.remove(&name);
    }
}

fn draw(context: &Context, adapters: &BTreeMap<String, Served>, totals: &str) -> Result<(), CliError> {
    let rows: Vec<&Served> = adapters.values().collect();
    context.write(&format!("{CLEAR}{totals}\n\n{}\n", table::list(&rows)))
}

fn totals(change: &WatchAdaptersResponse) -> String {
    format!(
        "{} of {} in memory, {} loads, {} evictions",
        table::bytes(change.memory_bytes),
        table::bytes(change.memory_limit_bytes),
        change.loads,
        change.evictions
    )
}

#[cfg(test)]
mod tests {
    use rootstock_client::proto::inference::v1::Adapter;

    use super::*;

    #[test]
    fn the_table_has_the_latest_of_each_adapter_and_no_retired_one() {
        let adapter = |name: &str, leases| Adapter { name: name.into(), leases, ..Adapter::default() };
        let change = |adapters, retired_names| WatchAdaptersResponse {
            adapters,
            retired_names,
            ..WatchAdaptersResponse::default()
        };
        let mut adapters = BTreeMap::new();
        apply(&mut adapters, change(vec![adapter("adapters/a", 0), adapter("adapters/b", 0)], Vec::new()));
        apply(&mut adapters, change(vec![adapter("adapters/a", 7)], vec!["adapters/b".into()]));
        let listed = table::list(&adapters.values().collect::<Vec<_>>());
        assert_eq!(listed.lines().count(), 2, "{listed}");
        assert!(listed.contains("adapters/a") && listed.contains(" 7 "), "{listed}");
    }

    #[test]
    fn the_first_line_has_the_memory_and_what_came_and_went() {
        let change = WatchAdaptersResponse {
            memory_bytes: 1 << 20,
            memory_limit_bytes: 1 << 30,
            loads: 3,
            evictions: 1,
            ..WatchAdaptersResponse::default()
        };
        assert_eq!(totals(&change), "1.00 MiB of 1.00 GiB in memory, 3 loads, 1 evictions");
    }
}
