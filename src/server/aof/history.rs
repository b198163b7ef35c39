//! Files of the append-only directory that mean nothing any more.
//!
//! A rewrite makes everything before it history. Its files are deleted at once, unless
//! `aof-disable-auto-gc` says that somebody wants to have them: then the manifest goes on naming
//! them, as type `h`, and they go when that is turned off, or at the next start. Nobody loads them.

use basalt_persist::aof::load::Location;
use basalt_persist::aof::manifest::{FileEntry, Manifest};

use super::{AppendOnly, State, location};
use crate::config::Settings;
use crate::warning;

/// What a rewrite has replaced is remembered if it is to be kept; what is returned is to be
/// deleted.
pub(super) fn keep(
    manifest: &mut Manifest,
    gone: Vec<FileEntry>,
    settings: &Settings,
) -> Vec<FileEntry> {
    if !settings.append_only.aof_disable_auto_gc {
        return gone;
    }
    manifest.add_history(gone);
    Vec::new()
}

/// Deletes files. One that stays takes room and nothing else: the manifest does not name it.
pub(super) fn delete(location: &Location, files: &[FileEntry]) {
    for file in files {
        let _ = location.disk.remove(&location.file(&file.name));
    }
}

impl AppendOnly {
    /// Deletes what the manifest still names of history, unless it is to be kept.
    pub fn delete_history(&self, settings: &Settings) {
        let mut state = self.state();
        // Without a base the manifest names nothing new, and the next base brings it all to an end.
        if settings.append_only.aof_disable_auto_gc || state.lacks_base {
            return;
        }
        if let Err(error) = forget(&mut state, &location(settings)) {
            warning!("Old files of the append only file stay where they are: {error}");
        }
    }
}

fn forget(state: &mut State, location: &Location) -> std::io::Result<()> {
    let mut manifest = state.manifest.clone();
    let history = manifest.take_history();
    if history.is_empty() {
        return Ok(());
    }
    manifest.write(&*location.disk, &location.manifest())?;
    state.manifest = manifest;
    delete(location, &history);
    Ok(())
}
