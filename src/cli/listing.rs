//! Lists: a table with aligned columns, JSON, YAML, or names for another command.

use std::io::Write;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};
use unicode_width::UnicodeWidthStr as _;

use super::{
    error::CommandError,
    output::{print_document, print_line},
    printable::Printable,
};

/// Blanks between two columns.
const GAP: &str = "  ";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// Aligned columns under headers
    Table,
    /// A JSON array of objects
    Json,
    /// A YAML sequence of mappings
    Yaml,
    /// What other commands take as the name, one on a line
    Name,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(crate) struct ListOptions {
    /// The form of the list.
    #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
    output: ListFormat,
    /// List at most this many.
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Leave out the headers of the table, and the line of an empty one.
    #[arg(short, long)]
    quiet: bool,
}

impl ListOptions {
    pub(super) fn limit(self) -> usize {
        usize::try_from(self.limit).unwrap_or(usize::MAX)
    }
}

/// What a list is of: its members' names in JSON are the table's headers in capitals.
pub(super) struct Listing {
    /// The things in the plural.
    things: &'static str,
    columns: &'static [&'static str],
    /// The column that names a row to other commands.
    name: &'static str,
    rows: Vec<Vec<Value>>,
}

impl Listing {
    pub(super) fn new(things: &'static str, columns: &'static [&'static str], name: &'static str) -> Self {
        Self { things, columns, name, rows: Vec::new() }
    }

    /// Adds a row with a value for each column.
    pub(super) fn push<const COLUMNS: usize>(&mut self, row: [Value; COLUMNS]) {
        debug_assert_eq!(COLUMNS, self.columns.len(), "{}", self.things);
        self.rows.push(row.into());
    }

    /// Prints at most as many rows as the options allow. A line on standard error states that there are more.
    pub(super) fn print(mut self, options: ListOptions, out: &mut dyn Write) -> Result<(), CommandError> {
        let has_more = self.rows.len() > options.limit();
        self.rows.truncate(options.limit());
        match options.output {
            ListFormat::Table => self.print_table(options.quiet, out)?,
            ListFormat::Json => {
                let text = serde_json::to_string_pretty(&self.objects()).map_err(CommandError::other)?;
                print_document("list", format!("{text}\n").as_bytes(), out)?;
            }
            ListFormat::Yaml => {
                let text = serde_saphyr::to_string(&self.objects()).map_err(CommandError::other)?;
                print_document("list", format!("{}\n", text.trim_end()).as_bytes(), out)?;
            }
            ListFormat::Name => {
                let name = self.columns.iter().position(|column| *column == self.name).unwrap_or(0);
                for row in &self.rows {
                    print_line(out, cell(row.get(name)))?;
                }
            }
        }
        if has_more && !options.quiet {
            eprintln!("there are more; --limit lists them");
        }
        Ok(())
    }

    fn objects(&self) -> Vec<Map<String, Value>> {
        let object = |row: &Vec<Value>| self.columns.iter().map(|name| (*name).to_owned()).zip(row.clone()).collect();
        self.rows.iter().map(object).collect()
    }

    fn print_table(&self, quiet: bool, out: &mut dyn Write) -> Result<(), CommandError> {
        if self.rows.is_empty() {
            return if quiet { Ok(()) } else { print_line(out, format_args!("There are no {}.", self.things)) };
        }
        let headers = self.columns.iter().map(|column| column.replace('_', " ").to_uppercase()).collect();
        let rows = self.rows.iter().map(|row| row.iter().map(|value| cell(Some(value))).collect());
        let lines: Vec<Vec<String>> = (!quiet).then_some(headers).into_iter().chain(rows).collect();
        let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|text| text.width()).max();
        let widths: Vec<usize> = (0..self.columns.len()).map(|column| width(column).unwrap_or(0)).collect();
        for line in &lines {
            let padded = line
                .iter()
                .zip(&widths)
                .map(|(text, width)| format!("{text}{}", " ".repeat(width.saturating_sub(text.width()))));
            print_line(out, padded.collect::<Vec<_>>().join(GAP).trim_end())?;
        }
        Ok(())
    }
}

/// A value as a table shows it, without characters that would move the columns.
fn cell(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) if !text.is_empty() => Printable(text).to_string(),
        Some(Value::Bool(value)) => if *value { "yes" } else { "no" }.to_owned(),
        Some(Value::Array(values)) if !values.is_empty() => {
            values.iter().map(|value| cell(Some(value))).collect::<Vec<_>>().join(", ")
        }
        Some(Value::Number(number)) => number.to_string(),
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn printed(rows: &[[Value; 3]], output: ListFormat, limit: u32, quiet: bool) -> String {
        let mut listing = Listing::new("dogs", &["id", "full_name", "legs"], "full_name");
        for row in rows {
            listing.push(row.clone());
        }
        let mut out = Vec::new();
        listing.print(ListOptions { output, limit, quiet }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn dogs() -> [[Value; 3]; 3] {
        [
            [json!("1"), json!("犬 Rex"), json!(4)],
            [json!("22"), json!("e\u{301}"), json!(3)],
            [json!("3"), json!("a\nb"), json!(null)],
        ]
    }

    #[test]
    fn columns_are_aligned_by_display_width() {
        let table = "ID  FULL NAME  LEGS\n1   犬 Rex     4\n22  e\u{301}          3\n3   a\\nb       -\n";
        assert_eq!(printed(&dogs(), ListFormat::Table, 10, false), table);
        assert_eq!(printed(&dogs()[..1], ListFormat::Table, 10, true), "1  犬 Rex  4\n");
    }

    #[test]
    fn json_and_yaml_have_the_columns_as_members() {
        let text = printed(&dogs(), ListFormat::Json, 2, false);
        let list: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            list,
            json!([{"id": "1", "full_name": "犬 Rex", "legs": 4}, {"id": "22", "full_name": "e\u{301}", "legs": 3}])
        );
        assert_eq!(printed(&dogs()[..1], ListFormat::Yaml, 2, false), "- id: \"1\"\n  full_name: 犬 Rex\n  legs: 4\n");
    }

    #[test]
    fn names_are_printed_one_on_a_line() {
        assert_eq!(printed(&dogs(), ListFormat::Name, 2, false), "犬 Rex\ne\u{301}\n");
    }

    #[test]
    fn empty_list_is_a_line_an_empty_array_or_nothing() {
        for (format, quiet, expected) in [
            (ListFormat::Table, false, "There are no dogs.\n"),
            (ListFormat::Table, true, ""),
            (ListFormat::Json, false, "[]\n"),
            (ListFormat::Yaml, false, "[]\n"),
            (ListFormat::Name, false, ""),
        ] {
            assert_eq!(printed(&[], format, 10, quiet), expected, "{format:?}");
        }
    }
}
