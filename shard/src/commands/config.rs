//! CONFIG: the configuration is kept by the process ([`crate::host::Host`]); what commands need of
//! it, and what CONFIG GET shows, reaches all cores at one moment by a parking tour.

use std::sync::Arc;

use crate::acl::Acl;
use crate::call::SessionCall;
use crate::core::tour::{TourKind, TourTask};
use crate::core::{Core, SessionId};
use crate::error::{self, CommandError, Outcome};
use crate::host::{ConfigChange, RewriteExtent, RewriteTarget};
use crate::reply::Reply;
use crate::settings::Settings;

/// CONFIG GET.
pub fn get(call: &mut SessionCall<'_>) -> Outcome {
    let patterns: Vec<&[u8]> = call.arguments.from(2).collect();
    let found = call.core.store.settings().directives.matching(&patterns);
    call.reply.map_len(found.len());
    for (name, value) in found {
        call.reply.bulk(&name);
        call.reply.bulk(&value);
    }
    Ok(())
}

/// CONFIG SET.
pub fn set(call: &mut SessionCall<'_>) -> Outcome {
    if !call.arguments.len().is_multiple_of(2) {
        return Err(error::SYNTAX);
    }
    let words: Vec<Vec<u8>> = call.arguments.from(2).map(<[u8]>::to_vec).collect();
    let is_local = call.session().origin.is_local();
    let asker = call.session().client_id;
    let is_queued = call.core.is_transacting();
    call.tour(TourKind::Parking, Set { words, is_local, asker, is_queued, result: None });
    Ok(())
}

/// The change is made at the first core and put in force at each.
struct Set {
    words: Vec<Vec<u8>>,
    is_local: bool,
    asker: u64,
    /// Whether it is part of a transaction.
    is_queued: bool,
    result: Option<Result<Change, CommandError>>,
}

/// What a CONFIG SET changes at each core.
struct Change {
    settings: Arc<Settings>,
    /// Other users: `requirepass` is the password of the default user.
    acl: Option<Arc<Acl>>,
    /// The rewrite that turns the append-only file on.
    rewrite: Option<Box<dyn RewriteTarget>>,
}

impl TourTask for Set {
    fn changes_what_cores_share(&self) -> bool {
        true
    }

    fn visit(&mut self, core: &mut Core) {
        let (words, is_local) = (&self.words, self.is_local);
        let result = self.result.get_or_insert_with(|| set_here(core, words, is_local));
        if let Ok(change) = result {
            core.apply_settings(Arc::clone(&change.settings));
            if let Some(acl) = &change.acl {
                core.apply_acl(acl, self.asker);
            }
        }
    }

    fn finish(self: Box<Self>, core: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        match self.result.expect("a tour visits at least one core") {
            Ok(change) => {
                core.follow_append_only_setting(change.rewrite, self.is_queued);
                reply.ok();
            }
            Err(error) => {
                core.stats.count_error(&error);
                reply.error(&error);
            }
        }
    }
}

fn set_here(core: &mut Core, words: &[Vec<u8>], is_local: bool) -> Result<Change, CommandError> {
    let pairs: Vec<(&[u8], &[u8])> =
        words.chunks_exact(2).map(|pair| (&pair[0][..], &pair[1][..])).collect();
    let ConfigChange { mut settings, rewrite } = core.host.config_set(&pairs, is_local)?;
    let old = Arc::clone(&core.store.settings().rate_limits);
    if *settings.rate_limits == *old {
        // What users have spent is not forgotten because something else has changed.
        Arc::make_mut(&mut settings).rate_limits = old;
    }
    let is_same = settings.requirepass == core.store.settings().requirepass;
    let acl = (!is_same).then(|| Arc::new(core.acl().with_default_password(&settings.requirepass)));
    Ok(Change { settings, acl, rewrite })
}

/// CONFIG REWRITE.
pub fn rewrite(call: &mut SessionCall<'_>) -> Outcome {
    write_file(call, RewriteExtent::Changed)
}

/// Writes the configuration file anew, and answers.
pub(super) fn write_file(call: &mut SessionCall<'_>, extent: RewriteExtent) -> Outcome {
    let users: Vec<Vec<u8>> = call.core.acl().lines().collect();
    call.core.host.config_rewrite(&users, extent)?;
    call.reply.ok();
    Ok(())
}

/// CONFIG RESETSTAT.
pub fn resetstat(call: &mut SessionCall<'_>) -> Outcome {
    call.tour(TourKind::Gathering, ResetStat);
    Ok(())
}

struct ResetStat;

impl TourTask for ResetStat {
    fn visit(&mut self, core: &mut Core) {
        core.stats.reset();
        core.store.stats.reset();
        core.reset_eviction_stats();
    }

    fn finish(self: Box<Self>, core: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        core.host.reset_stats();
        reply.ok();
    }
}
