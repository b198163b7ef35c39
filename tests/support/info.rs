//! `field:value` lines of INFO and `field=value` pairs of CLIENT LIST.

use std::collections::HashMap;

/// Named text values in the order sent.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    names: Vec<String>,
    values: HashMap<String, String>,
}

impl Fields {
    /// Parses the reply of INFO. Section headings and blank lines are left out.
    pub(crate) fn of_info(text: &str) -> Fields {
        let lines = text.split("\r\n").filter(|line| !line.is_empty() && !line.starts_with('#'));
        Fields::collect(lines, ':')
    }

    /// Parses one line of CLIENT LIST.
    pub(crate) fn of_client(line: &str) -> Fields {
        Fields::collect(line.trim_end().split(' '), '=')
    }

    fn collect<'text>(parts: impl Iterator<Item = &'text str>, separator: char) -> Fields {
        let mut fields = Fields::default();
        for part in parts {
            let (name, value) = part
                .split_once(separator)
                .unwrap_or_else(|| panic!("no {separator:?} in {part:?}"));
            fields.names.push(name.to_owned());
            fields.values.insert(name.to_owned(), value.to_owned());
        }
        fields
    }

    /// Field names in the order sent.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The value of `name`, if the field was sent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The value of `name`. Panics when the field is missing.
    #[track_caller]
    pub(crate) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_else(|| panic!("no field {name} in {:?}", self.names))
    }

    /// The value of `name` as a number. Panics when it is missing or no number.
    #[track_caller]
    pub(crate) fn number(&self, name: &str) -> i64 {
        let text = self.text(name);
        text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text:?}"))
    }
}
