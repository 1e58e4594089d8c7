//! "Did you mean": the nearest of the names that would have been right.

/// The candidate that is near enough to be a slip of the pen, if there is one.
pub fn near<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    candidates
        .into_iter()
        .filter(|candidate| *candidate != name)
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().min(name.len()) / 4)
        .min_by_key(|(distance, candidate)| (*distance, *candidate))
        .map(|(_, candidate)| candidate)
}

/// The words to append to a message: empty without a near name.
pub fn hint<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    near(name, candidates).map(|found| format!("; did you mean {found:?}?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_finds_its_name() {
        let fields = ["replicas", "image", "processes", "env", "envFrom"];
        assert_eq!(near("replica", fields), Some("replicas"));
        assert_eq!(near("proceses", fields), Some("processes"));
        assert_eq!(near("Image", fields), Some("image"));
        assert_eq!(near("evn", fields), Some("env"));
        assert_eq!(near("database", fields), None);
        assert_eq!(hint("imgae", fields), "; did you mean \"image\"?");
    }
}
