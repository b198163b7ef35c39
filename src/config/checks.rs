//! Rules that text directives have to keep.

use basalt_shard::rate_limit::RateLimits;

use super::value::ValueError;

/// What may stand in braces in `proc-title-template`.
const TITLE_VARIABLES: &[&[u8]] = &[
    b"title",
    b"listen-addr",
    b"server-mode",
    b"port",
    b"tls-port",
    b"unixsocket",
    b"config-file",
];

pub(super) fn dump_file_name(name: &[u8]) -> Result<(), ValueError> {
    plain_name(name, "dbfilename can't be empty", "dbfilename can't be a path, just a filename")
}

pub(super) fn append_file_name(name: &[u8]) -> Result<(), ValueError> {
    plain_name(
        name,
        "appendfilename can't be empty",
        "appendfilename can't be a path, just a filename",
    )
}

pub(super) fn append_directory_name(name: &[u8]) -> Result<(), ValueError> {
    plain_name(
        name,
        "appenddirname can't be empty",
        "appenddirname can't be a path, just a dirname",
    )
}

pub(super) fn cluster_file_name(name: &[u8]) -> Result<(), ValueError> {
    if name.is_empty() {
        return Err(ValueError::Rule("cluster-config-file can't be empty"));
    }
    Ok(())
}

pub(super) fn user_rate_limit(text: &[u8]) -> Result<(), ValueError> {
    RateLimits::parse(text).map(drop).map_err(ValueError::Rule)
}

/// A name without directories, so that it can't lead out of `dir`.
fn plain_name(
    name: &[u8],
    if_empty: &'static str,
    if_path: &'static str,
) -> Result<(), ValueError> {
    if name.is_empty() {
        return Err(ValueError::Rule(if_empty));
    }
    if name.contains(&b'/') || name.contains(&b'\\') {
        return Err(ValueError::Rule(if_path));
    }
    Ok(())
}

/// Text with known variables in braces; `{{` stands for a brace.
pub(super) fn process_title(template: &[u8]) -> Result<(), ValueError> {
    const BROKEN: ValueError =
        ValueError::Rule("template format is invalid or contains unknown variables");
    if template.is_empty() {
        return Err(BROKEN);
    }
    let mut rest = template;
    while let Some(open) = rest.iter().position(|&byte| byte == b'{') {
        rest = &rest[open + 1..];
        if let [b'{', after @ ..] = rest {
            rest = after;
            continue;
        }
        let close = rest.iter().position(|&byte| byte == b'}').ok_or(BROKEN)?;
        if !TITLE_VARIABLES.contains(&&rest[..close]) {
            return Err(BROKEN);
        }
        rest = &rest[close + 1..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{append_directory_name, dump_file_name, process_title};

    #[test]
    fn titles_know_their_variables() {
        for good in ["basalt", "{title} {listen-addr} {server-mode}", "{{x {port}"] {
            assert_eq!(process_title(good.as_bytes()), Ok(()), "{good}");
        }
        for bad in ["", "{foo}", "{title", "{}"] {
            assert!(process_title(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_files_hold_no_directories() {
        assert_eq!(dump_file_name(b"dump.rdb"), Ok(()));
        let said = dump_file_name(b"../dump.rdb").unwrap_err().to_string();
        assert_eq!(said, "dbfilename can't be a path, just a filename");
        let said = append_directory_name(b"").unwrap_err().to_string();
        assert_eq!(said, "appenddirname can't be empty");
    }
}
