//! An adapter that is trained but not published is not found by those who ask it; this tells which step is missing.
use rootstock_artifacts::Kind;
use rootstock_client::{ClientError, ErrorReason};

use crate::{CliError, Context};

/// How the name of an adapter begins.
const ADAPTERS: &str = "adapters/";
/// What an error says of an adapter that is out of service; it says itself which version brings it back.
const RETIRED: &str = "was retired";

/// The error of a call that named these adapters, with the command that publishes the one that only lacks that.
pub(crate) async fn explain(context: &Context, error: ClientError, adapters: &[String]) -> CliError {
    if !error.is(ErrorReason::NotFound) {
        return error.into();
    }
    for name in adapters.iter().filter(|name| is_missing_alias(name, &error.message)) {
        let versions = context.clients().checkpoint().list_artifacts(Some(name), Some(Kind::Adapter)).await;
        if versions.is_ok_and(|versions| !versions.is_empty()) {
            let id = name.trim_start_matches(ADAPTERS);
            let hint = format!(
                "it has a version but is not published; serve it with `rootstock adapters publish {id}`"
            );
            return CliError::hinted(error, hint);
        }
    }
    error.into()
}

fn is_missing_alias(name: &str, message: &str) -> bool {
    let is_alias = name.strip_prefix(ADAPTERS).is_some_and(|id| !id.contains('/'));
    // Another adapter's name may begin with this one.
    let goes_on = |rest: &str| {
        rest.trim_start_matches('.').starts_with(|c: char| c.is_ascii_alphanumeric() || "_-/".contains(c))
    };
    let mut places = message.match_indices(name);
    let named = places.any(|(place, _)| !goes_on(&message[place + name.len()..]));
    is_alias && named && !message.contains(RETIRED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_alias_that_the_error_names_can_lack_publishing() {
        assert!(is_missing_alias("adapters/a", "adapters/a is not there"));
        assert!(!is_missing_alias("adapters/b", "adapters/a is not there"));
        assert!(!is_missing_alias("adapters/a", "adapters/a-2 does not exist; publish it first"));
        assert!(is_missing_alias("adapters/a", "adapters/a-2 and adapters/a don't exist"));
        assert!(!is_missing_alias("adapters/a", "adapters/a was retired as generation 3"));
        assert!(!is_missing_alias(
            "adapters/a/versions/sha256:1",
            "adapters/a/versions/sha256:1 is not there"
        ));
        assert!(!is_missing_alias("", "baseModels/a is not there"));
    }
}
