//! Text in lines of a given width.

/// The text in lines of at most `width` characters, each behind an indent and with a line feed; a longer word keeps a line
/// of its own.
pub fn wrap(text: &str, width: usize, indent: &str) -> String {
    let room = width.saturating_sub(indent.len()).max(1);
    let (mut lines, mut line) = (String::new(), String::new());
    // Not at no-break spaces.
    for word in text.split([' ', '\t', '\n']).filter(|word| !word.is_empty()) {
        let length = line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && length > room {
            lines.push_str(&format!("{indent}{line}\n"));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push_str(&format!("{indent}{line}\n"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_to_their_width() {
        assert_eq!(wrap("one two  three", 9, "  "), "  one two\n  three\n");
        assert_eq!(wrap("extraordinarily long", 5, ""), "extraordinarily\nlong\n");
        assert_eq!(wrap(" ", 5, ""), "");
        assert_eq!(wrap("at 5\u{a0}%", 5, ""), "at\n5\u{a0}%\n");
    }
}
