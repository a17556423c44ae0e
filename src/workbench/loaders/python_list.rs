//! A list of strings as Python prints it: `['C#', "company's goals"]`.

/// The strings. `None` where the text is no such list.
pub(super) fn read(list: &str) -> Option<Vec<String>> {
    let inside = list.trim().strip_prefix('[')?.strip_suffix(']')?;
    let (mut strings, mut rest) = (Vec::new(), inside.trim_start());
    while !rest.is_empty() {
        let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let (string, behind) = quoted(&rest[1..], quote)?;
        strings.push(string);
        rest = behind.trim_start();
        if let Some(next) = rest.strip_prefix(',') {
            rest = next.trim_start();
        } else if !rest.is_empty() {
            return None;
        }
    }
    Some(strings)
}

/// A string up to its closing quote, and what is behind that.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut string = String::new();
    let mut characters = text.char_indices();
    loop {
        match characters.next()?.1 {
            '\\' => string.push(escaped(&mut characters)?),
            c if c == quote => return Some((string, characters.as_str())),
            c => string.push(c),
        }
    }
}

/// What stands behind a backslash.
fn escaped(characters: &mut std::str::CharIndices<'_>) -> Option<char> {
    match characters.next()?.1 {
        'n' => Some('\n'),
        't' => Some('\t'),
        'r' => Some('\r'),
        'x' => hexadecimal(characters, 2),
        'u' => hexadecimal(characters, 4),
        'U' => hexadecimal(characters, 8),
        c => Some(c),
    }
}

fn hexadecimal(characters: &mut std::str::CharIndices<'_>, digits: usize) -> Option<char> {
    let code =
        (0..digits).try_fold(0u32, |code, _| code.checked_mul(16)?.checked_add(characters.next()?.1.to_digit(16)?))?;
    char::from_u32(code)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn strings_are_read_as_python_wrote_them() {
        let read = |list: &str| read(list).map(|strings| strings.join("|"));
        assert_eq!(read(r#"['C#', "company's goals", 'say \'so\'']"#).as_deref(), Some("C#|company's goals|say 'so'"));
        assert_eq!(read(" [ 'a' ,'b, c', ] ").as_deref(), Some("a|b, c"));
        assert_eq!(read(r"['tab\there', '\\', '\u00e9\x41']").as_deref(), Some("tab\there|\\|éA"));
        assert_eq!(read("[]").as_deref(), Some(""));
    }

    #[test]
    fn what_is_no_list_of_strings_is_refused() {
        for list in
            ["", "a", "['a'", "['a]", "[a]", "['a' 'b']", "['a',, 'b']", "[1]", "['\\", "['\\u12']", "[None]", "]["]
        {
            assert_eq!(read(list), None, "{list}");
        }
    }
}
