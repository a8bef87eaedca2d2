//! What imports and exports share: upload with progress, moving an alias, and writing an artifact into a directory.
use std::path::{Path, PathBuf};

use rootstock_artifacts::{Cache, Kind};
use rootstock_client::proto::checkpoint::v1::{Alias, Artifact};
use rootstock_client::{ArtifactDraft, ErrorReason, Expect, Progress};

use crate::progress::Meter;
use crate::{CliError, Context, names};

/// Folder in the target of an export where files lie until they are whole.
const PARTIAL: &str = ".rootstock-partial";
/// An export keeps what it fetches; nothing is ever evicted.
const NO_LIMIT: u64 = u64::MAX / 2;

/// Uploads and commits.
pub(crate) async fn upload(
    context: &Context,
    label: &str,
    draft: ArtifactDraft,
) -> Result<Artifact, CliError> {
    let checkpoint = context.clients().checkpoint();
    if context.is_quiet() {
        return Ok(checkpoint.upload_artifact(draft, &Progress::none()).await?);
    }
    let meter = Meter::bytes(label);
    let uploaded = checkpoint.upload_artifact(draft, &meter.transfer()).await;
    meter.clear();
    Ok(uploaded?)
}

/// Points an alias at an artifact, unless somebody moves it in the meantime. That it pointed at another one is told.
pub(crate) async fn point(context: &Context, alias: &str, digest: &str) -> Result<Alias, CliError> {
    let checkpoint = context.clients().checkpoint();
    let (expect, before) = match checkpoint.get_alias(alias).await {
        Ok(record) if record.digest == digest => return Ok(record),
        Ok(record) => (Expect::Etag(record.etag), Some(record.digest)),
        Err(error) if error.is(ErrorReason::NotFound) => (Expect::Absent, None),
        Err(error) => return Err(error.into()),
    };
    let moved = checkpoint.set_alias(alias, digest, expect).await?;
    if let Some(before) = before {
        context.note(format!("{alias} moved from {before} to {digest}"));
    }
    Ok(moved)
}

/// Writes an artifact's files into a directory that is empty, new, or holds an export that was cut.
pub(crate) async fn export(
    context: &Context,
    kind: Kind,
    name: &str,
    dir: &Path,
) -> Result<Artifact, CliError> {
    // A name that doesn't exist leaves no directory behind; what it means now is what is fetched.
    let name = names::stored(context, kind, name).await?;
    let digest = context.clients().checkpoint().get_artifact(&name).await?.digest;
    prepare(dir)?;
    let partial = dir.join(PARTIAL);
    let failed = |source| CliError::io(dir.display().to_string(), source);
    let cache = Cache::open(&partial, NO_LIMIT).map_err(failed)?;
    let meter = Meter::bytes(format!("exporting {name}"));
    let fetched = context.clients().checkpoint().fetch_artifact(digest, &cache, &meter.transfer()).await;
    meter.clear();
    let fetched = fetched?;
    fetched.materialize(&cache, dir).map_err(failed)?;
    let artifact = fetched.artifact.clone();
    drop(fetched);
    std::fs::remove_dir_all(&partial).map_err(failed)?;
    for blob in &artifact.blobs {
        writable(&dir.join(&blob.path)).map_err(failed)?;
    }
    Ok(artifact)
}

fn prepare(dir: &Path) -> Result<(), CliError> {
    let failed = |source| CliError::io(dir.display().to_string(), source);
    std::fs::create_dir_all(dir).map_err(failed)?;
    let resumes = dir.join(PARTIAL).is_dir();
    let empty = std::fs::read_dir(dir).map_err(failed)?.next().is_none();
    if empty || resumes {
        return Ok(());
    }
    Err(CliError::refused(format!("{} is not empty; name a new directory", dir.display())))
}

/// The cache's files are read-only, because they are shared; these are not shared any more.
fn writable(path: &PathBuf) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    const OWNER_WRITES: u32 = 0o644;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(OWNER_WRITES))
}
