//! A user's own trace: lines of `seconds,count`, each count being the requests since the line before. A line at
//! second 0 only says where the trace begins.

/// Rates per second from such a CSV; a header line and empty lines are skipped.
///
/// # Errors
/// A message that names the line and says what it should look like.
pub fn rates(text: &str) -> Result<Vec<f32>, String> {
    let mut rates = Vec::new();
    let mut last = 0u32;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        let parsed = line.split_once(',').and_then(|(at, count)| {
            Some((at.trim().parse::<u32>().ok()?, count.trim().parse::<f32>().ok()?))
        });
        let Some((at, count)) = parsed else {
            if line.is_empty() || number == 0 {
                continue;
            }
            return Err(format!(
                "line {}: `{line}` is not `seconds,count`, for example `60,1200`",
                number + 1
            ));
        };
        if !(count.is_finite() && count >= 0.0) {
            return Err(format!("line {}: the count must be 0 or more", number + 1));
        }
        if at == 0 && last == 0 && rates.is_empty() {
            continue;
        }
        if at <= last || at > 31 * 86_400 {
            return Err(format!("line {}: seconds must grow, and end within 31 days", number + 1));
        }
        rates.resize(at as usize, count / (at - last) as f32);
        last = at;
    }
    if rates.is_empty() {
        return Err("no line with `seconds,count`, for example `60,1200`, was found".into());
    }
    Ok(rates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_become_rates_and_mistakes_are_named() {
        assert_eq!(rates("seconds,count\n2,10\n3,1\n").unwrap(), [5.0, 5.0, 1.0]);
        assert_eq!(rates("seconds,count\n0,0\n2,10\n").unwrap(), [5.0, 5.0]);
        assert!(rates("s,c\n60,10\nx,2").unwrap_err().contains("line 3"));
        assert!(rates("s,c\n60,10\n30,2").unwrap_err().contains("must grow"));
        assert!(rates("").unwrap_err().contains("60,1200"));
    }
}
