//! Where the checkout and its build folder lie.

use std::path::PathBuf;

use anyhow::{Context, Result};
use cargo_metadata::MetadataCommand;

/// The folders that commands work in.
pub(crate) struct Workspace {
    /// The root of the checkout.
    pub root: PathBuf,
    /// Where cargo builds: `CARGO_TARGET_DIR` or `target`.
    pub target: PathBuf,
}

impl Workspace {
    /// Asks cargo, so that every setting that moves the build folder is honoured.
    pub(crate) fn locate() -> Result<Self> {
        let metadata = MetadataCommand::new().no_deps().exec().context("cannot read the workspace")?;
        Ok(Self { root: metadata.workspace_root.into(), target: metadata.target_directory.into() })
    }
}
