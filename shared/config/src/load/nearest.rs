/// The candidate that a person who wrote `name` most likely meant.
pub(super) fn nearest<'a>(
    name: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let far = name.len() / 4 + 2;
    candidates
        .filter(|candidate| candidate.len().abs_diff(name.len()) < far)
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance < far)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many letters must be put in, taken out or replaced to make one name of the other.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, left) in left.chars().enumerate() {
        let mut diagonal = index;
        let mut before = index + 1;
        let mut next = vec![before];
        for (right, above) in right.iter().zip(row.iter().skip(1)) {
            let replaced = diagonal + usize::from(left != *right);
            before = replaced.min(before + 1).min(above + 1);
            diagonal = *above;
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        assert_eq!(distance("", ""), 0);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("history_szie", "history_size"), 2);
    }

    #[test]
    fn far_names_are_not_suggested() {
        let names = ["presence", "history_size", "history_ttl"];
        assert_eq!(
            nearest("histroy_size", names.into_iter()),
            Some("history_size")
        );
        assert_eq!(nearest("presense", names.into_iter()), Some("presence"));
        assert_eq!(nearest("completely_different", names.into_iter()), None);
    }
}
