//! Which commands wait for those their session has sent to other cores: what the append-only file
//! keeps after a crash is a prefix of history, over the journals of all cores.
//!
//! ```text
//! pipeline at core 0:   c1 --> core 1 (not run yet)      c2 runs here
//! core 0's journal:     ... c2            core 1's journal: ...            power fails: c1 is lost
//! ```
//!
//! Cores run a pipeline without waiting for each other, and in order for every observer, since a
//! command takes effect where it stands in an inbox. A journal is no such observer: it is told when
//! a command *runs*, so c2 would be told before c1, with nothing to say which item of core 1 it
//! needs. And whoever sees c2 meanwhile needs that item as well, without knowing it; so no reply
//! could ever be called safe without asking what else waits, of all cores, again and again.
//!
//! So needs never lead ahead. With several journals, a command that may write waits until all that
//! its session has sent elsewhere is answered; reads too, for what they see may be a change that is
//! not told yet when they are sent. What goes to the one core that owes all answers need not wait:
//! it stands behind them in that inbox and in that journal. Then every edge that leads to a record
//! is told by what there was already, and three kinds are all there are:
//!
//! * From what the same session did before: it ran here, or it was answered, and an item is counted
//!   before the answer is sent; or it runs here ahead of this one.
//! * From what a record, or a read before it, has seen or overwritten: that lies in the slot, which
//!   is here, so its change was counted where it was made before the slot, or the message that
//!   brings this command, left.
//! * From what was over before it began: that was counted before it was answered.
//!
//! In each case a message or a socket has brought this core what came after the counting, and it
//! has read the counts since (`Journal::note_others`). Needs of a need were told the same way, in
//! the same journal or ahead of the item, so cutting step by step finds all of them.
//!
//! Pipelines of reads, pipelines that keep to one core, and all clients that wait for their replies
//! are as fast as without a journal. With none, or with one core, nothing is asked but one flag.

use super::message::Route;
use super::{Core, SessionId};
use crate::arguments::Arguments;
use crate::command::{Command, CommandFlags, Handler, flag};
use crate::mutation::{self, Mutation};

/// Commands that may change something.
const MAY_WRITE: CommandFlags = flag::WRITE.with(flag::MAY_REPLICATE);

impl Core {
    /// Whether a command on keys has to wait for answers of other cores; then its session is held
    /// until they are here. To be asked while there are several journals.
    pub(super) fn must_wait_for_earlier(
        &mut self,
        id: SessionId,
        row: &Command,
        route: Route,
        arguments: Arguments<'_>,
    ) -> bool {
        let session = self.session(id).expect("the caller has seen the session");
        // Scripts that join others are run where these are, and behind them.
        let is_free = !session.is_owed() || session.holds.let_scripts_pass();
        if is_free || !matches!(row.handler, Some(Handler::Keys(_))) {
            return false;
        }
        let debtor = session.debtor;
        if !self.flags_in_effect(row, arguments).intersects(MAY_WRITE) {
            return false;
        }
        let is_behind_them = debtor.is_some() && self.target(row, route, arguments) == debtor;
        !is_behind_them && self.must_wait(id)
    }

    /// Whether EXEC has to wait for answers of other cores; then its session is held until they are
    /// here.
    pub(super) fn must_wait_before_exec(&mut self, id: SessionId, row: &Command) -> bool {
        self.store.journal.has_others() && row.name == "exec" && self.must_wait(id)
    }

    fn must_wait(&mut self, id: SessionId) -> bool {
        !mutation::is_on(Mutation::EarlierUnawaited) && !self.is_answered(id)
    }
}
