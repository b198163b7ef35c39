//! MULTI, EXEC, DISCARD, WATCH, UNWATCH. How queued commands run: see `core/transaction.rs`.

use std::sync::Arc;

use crate::call::{Call, SessionCall};
use crate::error::{CommandError, Outcome};
use crate::store::Access;
use crate::watches::Watcher;

const NESTED: CommandError = CommandError::Fixed("ERR MULTI calls can not be nested");
const EXEC_WITHOUT_MULTI: CommandError = CommandError::Fixed("ERR EXEC without MULTI");
const DISCARD_WITHOUT_MULTI: CommandError = CommandError::Fixed("ERR DISCARD without MULTI");
const BROKEN: CommandError =
    CommandError::Fixed("EXECABORT Transaction discarded because of previous errors.");

/// MULTI.
pub fn multi(call: &mut SessionCall<'_>) -> Outcome {
    if call.session().transaction.is_some() {
        return Err(NESTED);
    }
    call.core.begin_transaction(call.session);
    call.reply.ok();
    Ok(())
}

/// EXEC.
pub fn exec(call: &mut SessionCall<'_>) -> Outcome {
    let transaction = call.session().transaction.take().ok_or(EXEC_WITHOUT_MULTI)?;
    if transaction.is_broken {
        call.core.discard_transaction(call.session);
        call.core.show_exec(call.session);
        return Err(BROKEN);
    }
    call.transaction = Some(transaction);
    Ok(())
}

/// DISCARD.
pub fn discard(call: &mut SessionCall<'_>) -> Outcome {
    if call.session().transaction.is_none() {
        return Err(DISCARD_WITHOUT_MULTI);
    }
    call.core.discard_transaction(call.session);
    call.reply.ok();
    Ok(())
}

/// WATCH.
pub fn watch(call: &mut Call<'_>) -> Outcome {
    let watcher = Arc::new(Watcher::new(call.caller.db, call.arguments.from(1)));
    for name in watcher.names() {
        // What has expired by now is not there; that it goes later is no change.
        let key = call.store.key(watcher.db(), name);
        call.store.find(key, Access::Peek);
    }
    call.store.add_watcher(&watcher);
    call.watch(watcher);
    call.reply.ok();
    Ok(())
}

/// UNWATCH.
pub fn unwatch(call: &mut SessionCall<'_>) -> Outcome {
    call.core.unwatch(call.session);
    call.reply.ok();
    Ok(())
}
