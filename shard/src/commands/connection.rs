//! Commands about the connection itself: who it is, which database it uses, how it is answered.

use crate::acl::DEFAULT_USER;
use crate::call::SessionCall;
use crate::commands::client;
use crate::core::Ending;
use crate::core::session::ReplyMode;
use crate::error::{self, CommandError, Outcome};
use crate::number::parse_integer;
use crate::reply::Protocol;

/// Version of Redis whose behaviour clients may expect.
pub const REDIS_VERSION: &str = "7.2.6";

/// PING, with or without a message.
pub fn ping(call: &mut SessionCall<'_>) -> Outcome {
    let session = call.session();
    if session.protocol == Protocol::Resp2 && session.is_subscriber() && call.arguments.len() < 3 {
        // What a subscriber gets looks like a message.
        call.reply.array_len(2);
        call.reply.bulk(b"pong");
        call.reply.bulk(call.arguments.get(1).unwrap_or_default());
        return Ok(());
    }
    match call.arguments.len() {
        1 => call.reply.raw(b"+PONG\r\n"),
        2 => call.reply.bulk(call.arguments.at(1)),
        _ => return Err(error::wrong_arity("ping")),
    }
    Ok(())
}

/// ECHO.
pub fn echo(call: &mut SessionCall<'_>) -> Outcome {
    call.reply.bulk(call.arguments.at(1));
    Ok(())
}

/// QUIT.
pub fn quit(call: &mut SessionCall<'_>) -> Outcome {
    call.reply.ok();
    let session = call.session;
    call.core.close_connection(session, Ending::AfterOutput);
    Ok(())
}

/// SELECT.
pub fn select(call: &mut SessionCall<'_>) -> Outcome {
    let number = parse_integer(call.arguments.at(1)).ok_or(error::NOT_AN_INTEGER)?;
    let databases = call.core.store.settings().databases;
    let db = u32::try_from(number).ok().filter(|db| *db < databases);
    call.session().db = db.ok_or(error::BAD_DATABASE)?;
    call.reply.ok();
    Ok(())
}

/// AUTH, with a password or with a user name and a password.
pub fn auth(call: &mut SessionCall<'_>) -> Outcome {
    let arguments = call.arguments;
    let (user, password) = match arguments.len() {
        2 => (DEFAULT_USER, arguments.at(1)),
        3 => (arguments.at(1), arguments.at(2)),
        _ => return Err(error::SYNTAX),
    };
    if arguments.len() == 2 && call.core.acl().default_user().needs_no_password {
        return Err(CommandError::Fixed(
            "ERR AUTH <password> called without any password configured for the default user. \
             Are you sure your configuration is correct?",
        ));
    }
    call.core.log_in(call.session, user, password)?;
    call.reply.ok();
    Ok(())
}

/// HELLO: protocol version, and with it authentication and a name.
pub fn hello(call: &mut SessionCall<'_>) -> Outcome {
    let arguments = call.arguments;
    let protocol = match arguments.get(1) {
        None => None,
        Some(version) => Some(match parse_integer(version) {
            Some(2) => Protocol::Resp2,
            Some(3) => Protocol::Resp3,
            Some(_) => {
                return Err(CommandError::Fixed("NOPROTO unsupported protocol version"));
            }
            None => {
                return Err(CommandError::Fixed(
                    "ERR Protocol version is not an integer or out of range",
                ));
            }
        }),
    };
    let options = parse_hello_options(call)?;
    if let Some((user, password)) = options.credentials {
        call.core.log_in(call.session, user, password)?;
    }
    if !call.session().is_authenticated() {
        return Err(CommandError::Fixed(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the \
             HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and \
             select the RESP protocol version at the same time",
        ));
    }
    if let Some(name) = options.name {
        client::set_name(call.session(), name)?;
    }
    if let Some(protocol) = protocol {
        call.session().protocol = protocol;
        call.reply.set_protocol(protocol);
    }
    greet(call);
    Ok(())
}

#[derive(Default)]
struct HelloOptions<'a> {
    credentials: Option<(&'a [u8], &'a [u8])>,
    name: Option<&'a [u8]>,
}

fn parse_hello_options<'a>(call: &SessionCall<'a>) -> Result<HelloOptions<'a>, CommandError> {
    let arguments = call.arguments;
    let mut options = HelloOptions::default();
    let mut index = 2;
    while index < arguments.len() {
        let left = arguments.len() - index - 1;
        if arguments.is(index, "auth") && left >= 2 {
            options.credentials = Some((arguments.at(index + 1), arguments.at(index + 2)));
            index += 3;
        } else if arguments.is(index, "setname") && left >= 1 {
            options.name = Some(arguments.at(index + 1));
            index += 2;
        } else {
            let option = error::printable(arguments.at(index), 128);
            return Err(CommandError::worded(format!(
                "ERR Syntax error in HELLO option '{option}'"
            )));
        }
    }
    Ok(options)
}

fn greet(call: &mut SessionCall<'_>) {
    let (id, version) = (call.session().client_id, call.session().protocol.version());
    let reply = &mut call.reply;
    reply.map_len(7);
    reply.bulk(b"server");
    reply.bulk(b"redis");
    reply.bulk(b"version");
    reply.bulk(REDIS_VERSION.as_bytes());
    reply.bulk(b"proto");
    reply.integer(version);
    reply.bulk(b"id");
    reply.integer(id as i64);
    reply.bulk(b"mode");
    reply.bulk(b"standalone");
    reply.bulk(b"role");
    reply.bulk(b"master");
    reply.bulk(b"modules");
    reply.array_len(0);
}

/// RESET: the connection as it was when it began.
pub fn reset(call: &mut SessionCall<'_>) -> Outcome {
    call.core.log_out(call.session);
    call.core.discard_transaction(call.session);
    call.core.stop_tracking(call.session);
    call.core.unsubscribe_all(call.session);
    let session = call.session();
    session.db = 0;
    session.name = None;
    session.no_touch = false;
    session.no_evict = false;
    session.is_monitor = false;
    session.protocol = Protocol::Resp2;
    session.reply_mode = ReplyMode::On;
    call.reply.set_protocol(Protocol::Resp2);
    call.reply.simple("RESET");
    Ok(())
}
