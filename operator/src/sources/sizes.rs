//! The install's table of sizes, from a file that the chart makes.

use std::path::Path;

use anyhow::Context as _;
use plan::sizes::Sizes;

/// Reads the table; without a file it is the built-in one.
///
/// # Errors
/// A file that cannot be read, is no such table, or whose default is not in it.
pub fn load(path: Option<&Path>) -> anyhow::Result<Sizes> {
    let Some(path) = path else { return Ok(Sizes::default()) };
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("--sizes {shown} cannot be read"))?;
    parse(&text).with_context(|| {
        format!("--sizes {shown} is no table of sizes; see `sizes` in the chart's values.yaml")
    })
}

fn parse(text: &str) -> anyhow::Result<Sizes> {
    let sizes: Sizes = serde_saphyr::from_str(text)?;
    anyhow::ensure!(
        sizes.sizes.contains_key(&sizes.default),
        "the default `{}` is not among the sizes",
        sizes.default
    );
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_charts_table_is_the_built_in_one() {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Values {
            sizes: serde_json::Value,
            default_size: String,
        }
        let values: Values =
            serde_saphyr::from_str(include_str!("../../../charts/keelway/values.yaml")).unwrap();
        let table = serde_json::json!({"default": values.default_size, "sizes": values.sizes});
        assert_eq!(serde_json::from_value::<Sizes>(table).unwrap(), Sizes::default());
    }

    #[test]
    fn a_table_needs_its_default() {
        let table = "default: s\nsizes:\n  s:\n    requests: {cpu: 100m, memory: 64Mi}\n";
        assert!(parse(table).is_ok());
        assert!(parse(&table.replace("default: s", "default: m")).is_err());
    }
}
