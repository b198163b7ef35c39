//! CLIENT TRACKING, CACHING, TRACKINGINFO and GETREDIR. How clients are told: see
//! `core/tracking.rs`.

use crate::arguments::Arguments;
use crate::call::SessionCall;
use crate::commands::client::redirection;
use crate::core::membership::{Direction, MembershipRequest};
use crate::core::tour::{TourKind, TourTask};
use crate::core::tracking::{Redirect, Tracking, TrackingMode};
use crate::core::{Core, SessionId};
use crate::error::{self, CommandError, Outcome};
use crate::interests::Kind;
use crate::number::parse_integer;
use crate::reply::Reply;

const NO_REDIRECT_CLIENT: CommandError =
    CommandError::Fixed("ERR The client ID you want redirect to does not exist");

/// The options of CLIENT TRACKING.
#[derive(Default)]
struct Options {
    redirect: Option<i64>,
    prefixes: Vec<Box<[u8]>>,
    broadcast: bool,
    opt_in: bool,
    opt_out: bool,
    no_loop: bool,
}

impl Options {
    fn parse(arguments: Arguments<'_>) -> Result<Self, CommandError> {
        let mut options = Self::default();
        let mut index = 3;
        while index < arguments.len() {
            let value = arguments.get(index + 1);
            match value {
                Some(value) if arguments.is(index, "redirect") => {
                    if options.redirect.is_some_and(|id| id != 0) {
                        return Err(CommandError::Fixed(
                            "ERR A client can only redirect to a single other client",
                        ));
                    }
                    options.redirect = Some(parse_integer(value).ok_or(error::NOT_AN_INTEGER)?);
                    index += 1;
                }
                Some(value) if arguments.is(index, "prefix") => {
                    options.prefixes.push(value.into());
                    index += 1;
                }
                _ if arguments.is(index, "bcast") => options.broadcast = true,
                _ if arguments.is(index, "optin") => options.opt_in = true,
                _ if arguments.is(index, "optout") => options.opt_out = true,
                _ if arguments.is(index, "noloop") => options.no_loop = true,
                _ => return Err(error::SYNTAX),
            }
            index += 1;
        }
        Ok(options)
    }

    /// Whether they go together, and with what the client tracks already.
    fn check(&self, before: Option<&Tracking>) -> Outcome {
        let mode = before.map(|tracking| tracking.mode);
        let refusal = match () {
            () if !self.broadcast && !self.prefixes.is_empty() => {
                "ERR PREFIX option requires BCAST mode to be enabled"
            }
            () if mode.is_some_and(|mode| (mode == TrackingMode::Broadcast) != self.broadcast) => {
                "ERR You can't switch BCAST mode on/off before disabling tracking for this \
                 client, and then re-enabling it with a different mode."
            }
            () if self.broadcast && (self.opt_in || self.opt_out) => {
                "ERR OPTIN and OPTOUT are not compatible with BCAST"
            }
            () if self.opt_in && self.opt_out => {
                "ERR You can't specify both OPTIN mode and OPTOUT mode"
            }
            () if self.opt_in && mode == Some(TrackingMode::OptOut)
                || self.opt_out && mode == Some(TrackingMode::OptIn) =>
            {
                "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this \
                 client, and then re-enabling it with a different mode."
            }
            () => return Ok(()),
        };
        Err(CommandError::Fixed(refusal))
    }

    /// Whether no two prefixes would tell of the same key.
    fn check_prefixes(&self, before: &[Box<[u8]>]) -> Outcome {
        let overlap = |one: &[u8], other: &[u8]| one.starts_with(other) || other.starts_with(one);
        let refuse = |one: &[u8], other: &[u8], which: &str| {
            let (one, other) = (error::printable(one, 128), error::printable(other, 128));
            Err(CommandError::worded(format!(
                "ERR Prefix '{one}' overlaps with {which} prefix '{other}'. Prefixes for a single \
                 client must not overlap."
            )))
        };
        for (index, prefix) in self.prefixes.iter().enumerate() {
            if let Some(other) = before.iter().find(|other| overlap(other, prefix)) {
                return refuse(prefix, other, "an existing");
            }
            let others = &self.prefixes[index + 1..];
            if let Some(other) = others.iter().find(|other| overlap(other, prefix)) {
                return refuse(prefix, other, "another provided");
            }
        }
        Ok(())
    }

    fn mode(&self) -> TrackingMode {
        match () {
            () if self.broadcast => TrackingMode::Broadcast,
            () if self.opt_in => TrackingMode::OptIn,
            () if self.opt_out => TrackingMode::OptOut,
            () => TrackingMode::Reads,
        }
    }
}

/// CLIENT TRACKING.
pub fn tracking(call: &mut SessionCall<'_>) -> Outcome {
    let mut options = Options::parse(call.arguments)?;
    if call.arguments.is(2, "off") {
        call.core.stop_tracking(call.session);
        call.reply.ok();
        return Ok(());
    }
    if !call.arguments.is(2, "on") {
        return Err(error::SYNTAX);
    }
    options.check(call.session().tracking.as_deref())?;
    let redirect = options.redirect.filter(|id| *id != 0);
    let redirect = match redirect.map(u64::try_from) {
        None => None,
        Some(Ok(id)) => Some(id),
        Some(Err(_)) => return Err(NO_REDIRECT_CLIENT),
    };
    let tracking = Tracking {
        mode: options.mode(),
        no_loop: options.no_loop,
        caching: call.session().tracking.as_deref().is_some_and(|before| before.caching),
        redirect: None,
        is_broken: false,
    };
    let prefixes = if options.broadcast { new_prefixes(call, &mut options)? } else { Vec::new() };
    if prefixes.is_empty() && redirect.is_none() {
        call.session().tracking = Some(Box::new(tracking));
        call.reply.ok();
        return Ok(());
    }
    let kind = if prefixes.is_empty() { TourKind::Gathering } else { TourKind::Parking };
    let request =
        call.core.membership_request(call.session, Kind::Prefix, Direction::Join, prefixes);
    call.tour(kind, Enable { tracking, redirect, request });
    Ok(())
}

/// The prefixes a client is to be told about and is not yet; the empty one, if it gave none.
fn new_prefixes(
    call: &mut SessionCall<'_>,
    options: &mut Options,
) -> Result<Vec<Box<[u8]>>, CommandError> {
    let before = call.core.interests_of(call.session, Kind::Prefix);
    if options.prefixes.is_empty() {
        let has_it = before.iter().any(|prefix| prefix.is_empty());
        return Ok(if has_it { Vec::new() } else { vec![Box::default()] });
    }
    options.check_prefixes(&before)?;
    Ok(std::mem::take(&mut options.prefixes))
}

/// Finds the client that is to receive, and counts the client at every core by its prefixes.
struct Enable {
    tracking: Tracking,
    redirect: Option<u64>,
    request: MembershipRequest,
}

impl TourTask for Enable {
    fn visit(&mut self, core: &mut Core) {
        self.request.apply(&mut core.store);
        let Some(client_id) = self.redirect else { return };
        let found = core.sessions().find(|(_, session)| session.client_id == client_id);
        if let Some((session, _)) = found {
            self.tracking.redirect = Some(Redirect { client_id, core: core.id(), session });
        }
    }

    fn finish(self: Box<Self>, core: &mut Core, session: SessionId, reply: &mut Reply<'_>) {
        let is_lost = self.redirect.is_some() && self.tracking.redirect.is_none();
        if is_lost || core.session(session).is_none() {
            core.stats.count_error(&NO_REDIRECT_CLIENT);
            reply.error(&NO_REDIRECT_CLIENT);
            return core.take_back_request(self.request);
        }
        core.fulfil(session, &self.request);
        let state = core.session_mut(session).expect("seen above");
        state.tracking = Some(Box::new(self.tracking));
        reply.ok();
    }
}

/// CLIENT CACHING.
pub fn caching(call: &mut SessionCall<'_>) -> Outcome {
    let arguments = call.arguments;
    let Some(tracking) = call.session().tracking.as_deref_mut() else {
        return Err(CommandError::Fixed(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN \
             or OPTOUT mode enabled",
        ));
    };
    let refusal = match () {
        () if arguments.is(2, "yes") && tracking.mode == TrackingMode::OptIn => None,
        () if arguments.is(2, "no") && tracking.mode == TrackingMode::OptOut => None,
        () if arguments.is(2, "yes") => {
            Some("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
        }
        () if arguments.is(2, "no") => {
            Some("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
        }
        () => return Err(error::SYNTAX),
    };
    if let Some(refusal) = refusal {
        return Err(CommandError::Fixed(refusal));
    }
    tracking.caching = true;
    call.reply.ok();
    Ok(())
}

/// CLIENT GETREDIR.
pub fn getredir(call: &mut SessionCall<'_>) -> Outcome {
    let id = redirection(call.session());
    call.reply.integer(id);
    Ok(())
}

/// CLIENT TRACKINGINFO.
pub fn trackinginfo(call: &mut SessionCall<'_>) -> Outcome {
    let redirect = redirection(call.session());
    let prefixes = call.core.interests_of(call.session, Kind::Prefix);
    let flags = flags(call.session().tracking.as_deref());
    let reply = &mut call.reply;
    reply.map_len(3);
    reply.bulk(b"flags");
    reply.set_len(flags.len());
    flags.iter().for_each(|flag| reply.bulk(flag.as_bytes()));
    reply.bulk(b"redirect");
    reply.integer(redirect);
    reply.bulk(b"prefixes");
    reply.array_len(prefixes.len());
    prefixes.iter().for_each(|prefix| reply.bulk(prefix));
    Ok(())
}

fn flags(tracking: Option<&Tracking>) -> Vec<&'static str> {
    let Some(tracking) = tracking else { return vec!["off"] };
    let mut flags = vec!["on"];
    match tracking.mode {
        TrackingMode::Reads => {}
        TrackingMode::Broadcast => flags.push("bcast"),
        TrackingMode::OptIn => flags.push("optin"),
        TrackingMode::OptOut => flags.push("optout"),
    }
    match tracking.mode {
        TrackingMode::OptIn if tracking.caching => flags.push("caching-yes"),
        TrackingMode::OptOut if tracking.caching => flags.push("caching-no"),
        _ => {}
    }
    if tracking.no_loop {
        flags.push("noloop");
    }
    if tracking.is_broken {
        flags.push("broken_redirect");
    }
    flags
}
