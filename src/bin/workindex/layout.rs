//! Tables for people, fitted to the terminal.

use std::io::IsTerminal;

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, CellAlignment, ColumnConstraint, ContentArrangement, Row, Table};

/// The width of the terminal on standard output; none in a pipe.
pub fn terminal_width() -> Option<usize> {
    Table::new().width().map(usize::from)
}

/// A table with a header and no lines. With a width, what does not fit is cut.
pub fn table(header: &[&str], width: Option<usize>) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_truncation_indicator("…");
    if std::env::var_os("NO_COLOR").is_some() {
        table.force_no_tty();
    }
    match width {
        Some(width) => {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    if !header.is_empty() {
        table.set_header(header.iter().map(|name| Cell::new(name).add_attribute(Attribute::Bold)));
    }
    table
}

/// A line above a table: bold on a terminal, as the header is.
pub fn heading(text: &str) -> String {
    styled(text, "1")
}

/// What stands out in a table: bold and green on a terminal.
pub fn strong(text: &str) -> String {
    styled(text, "1;32")
}

fn styled(text: &str, code: &str) -> String {
    match std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        true => format!("\x1b[{code}m{text}\x1b[0m"),
        false => text.to_string(),
    }
}

/// Adds a row that stays on one line.
pub fn add(table: &mut Table, cells: impl IntoIterator<Item = String>) {
    let mut row = Row::from(cells.into_iter().map(Cell::new).collect::<Vec<_>>());
    row.max_height(1);
    table.add_row(row);
}

/// Aligns columns to the right: numbers.
pub fn align_right(table: &mut Table, columns: &[usize]) {
    for &column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// Keeps columns at the width of their content: others are cut first.
pub fn keep(table: &mut Table, columns: &[usize]) {
    for &column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
}

/// The table's lines without white space at their ends, each indented.
pub fn lines(table: &Table, indent: &str) -> String {
    let lines = table.lines().map(|line| format!("{indent}{}", line.trim_end()));
    lines.collect::<Vec<_>>().join("\n")
}

/// An id in at most `width` characters: whole, else from its last `/` on, else cut.
pub fn short_id(id: &str, width: usize) -> String {
    if id.chars().count() <= width {
        return id.to_string();
    }
    let tail = match id.trim_end_matches('/').rsplit_once('/') {
        Some((_, tail)) if !tail.is_empty() => format!("…/{tail}"),
        _ => id.to_string(),
    };
    cut(&tail, width)
}

/// A text in at most `width` characters.
pub fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_string();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_what_tells_them_apart() {
        let uri = "http://data.europa.eu/esco/skill/00064735-8fad-454b-90c7-ed858cc993f2";
        assert_eq!(short_id(uri, 100), uri);
        assert_eq!(short_id(uri, 38), "…/00064735-8fad-454b-90c7-ed858cc993f2");
        assert_eq!(short_id(uri, 12), "…/00064735-…");
        assert_eq!(short_id("15-1252.00", 20), "15-1252.00");
        assert_eq!(short_id("no slash at all", 8), "no slas…");
        assert_eq!(short_id("aaa/bc/", 4), "…/bc");
    }

    #[test]
    fn a_table_is_fitted_to_its_width() {
        let mut table = table(&["rank", "label", "id"], Some(40));
        add(&mut table, ["1".to_string(), "a label ".repeat(20), "…/0123456789".to_string()]);
        keep(&mut table, &[0, 2]);
        let text = lines(&table, "");
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 40), "{text}");
        assert!(text.contains("…/0123456789") && text.contains("a label"), "{text}");
    }
}
