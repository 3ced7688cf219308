//! Names in a sentence.

/// Names that a sentence has room for.
const MOST_NAMES: usize = 30;

/// `a`, `a and b`, `a, b and c`; a long list ends in the number of those that are left out.
pub(crate) fn name_list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] if names.len() <= MOST_NAMES => format!("{} and {last}", first.join(", ")),
        _ => format!("{} and {} more", names[..MOST_NAMES].join(", "), names.len() - MOST_NAMES),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_has_every_name_until_it_is_too_long() {
        let names: Vec<String> = (1..=40).map(|n| format!("n{n}")).collect();
        assert_eq!(name_list(&names[..1]), "n1");
        assert_eq!(name_list(&names[..2]), "n1 and n2");
        assert_eq!(name_list(&names[..3]), "n1, n2 and n3");
        assert!(name_list(&names).ends_with("n29, n30 and 10 more"), "{}", name_list(&names));
    }
}
