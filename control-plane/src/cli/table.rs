//! Tables for people.

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, Color, ContentArrangement};

use super::output::printable;

/// A table: a list with a header, or the fields of one thing without.
#[derive(Debug, Default)]
pub struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Of a list.
    #[must_use]
    pub fn new(header: &[&'static str]) -> Self {
        Self { header: header.to_vec(), rows: Vec::new() }
    }

    /// Of one thing: a name and a value a line.
    #[must_use]
    pub fn fields() -> Self {
        Self::default()
    }

    /// One more line.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// One more field; nothing when the value is empty.
    pub fn field(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        if !value.is_empty() {
            self.rows.push(vec![name.to_owned(), value]);
        }
    }

    /// As text; empty when there is nothing in it.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let mut table = comfy_table::Table::new();
        table.load_style(NOTHING);
        if colour {
            // Wraps at the width of the terminal.
            table.set_content_arrangement(ContentArrangement::Dynamic);
        } else {
            table.force_no_tty();
        }
        if !self.header.is_empty() {
            table.set_header(self.header.iter().map(|name| styled(Cell::new(name), colour, None)));
        }
        for row in &self.rows {
            let cells = row.iter().enumerate().map(|(index, text)| {
                let text = printable(text);
                let tint = tint(&text);
                let cell = Cell::new(text);
                if self.header.is_empty() && index == 0 {
                    styled(cell, colour, None)
                } else {
                    tinted(cell, colour, tint)
                }
            });
            table.add_row(cells);
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }
}

fn styled(cell: Cell, colour: bool, tint: Option<Color>) -> Cell {
    let cell = tinted(cell, colour, tint);
    if colour { cell.add_attribute(Attribute::Bold) } else { cell }
}

fn tinted(cell: Cell, colour: bool, tint: Option<Color>) -> Cell {
    match tint {
        Some(tint) if colour => cell.fg(tint),
        _ => cell,
    }
}

/// States have the same colour everywhere.
fn tint(text: &str) -> Option<Color> {
    match text {
        "online" | "running" | "active" | "succeeded" | "ok" | "done" => Some(Color::Green),
        "offline" | "failed" | "fail" | "stuck" | "error" => Some(Color::Red),
        "locked" | "draining" | "pending" | "queued" | "undoing" | "warn" | "suspended" | "deleting" | "cancelled" => {
            Some(Color::Yellow)
        }
        "provisioning" | "requested" => Some(Color::Cyan),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_their_header_and_control_characters_do_not_reach_the_terminal() {
        let mut table = Table::new(&["NAME", "STATE"]);
        table.row(["pve1".into(), "online".into()]);
        table.row(["a-longer\u{7}name".into(), "locked".into()]);
        assert_eq!(table.render(false), "NAME           STATE\npve1           online\na-longer\u{fffd}name  locked");
    }

    #[test]
    fn empty_fields_are_left_out() {
        let mut table = Table::fields();
        table.field("Name", "pve1");
        table.field("Problem", "");
        assert_eq!(table.render(false), "Name  pve1");
        assert_eq!(Table::new(&["NAME"]).render(false), "");
    }
}
