//! `helm upgrade` upgrades the kinds too, which Helm does not do for a chart's `crds/` folder.

use std::path::{Path, PathBuf};

use e2e::kubectl::{kubectl, run};
use e2e::{Space, hello, setting};

/// A copy of the chart in which the kind App lacks `spec.suspend`, as an older version may.
fn older_chart(folder: &Path) -> anyhow::Result<PathBuf> {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/keelway");
    std::process::Command::new("cp").arg("-R").arg(&chart).arg(folder).status()?;
    let file = folder.join("keelway/files/crds/apps.yaml");
    let text = std::fs::read_to_string(&file)?;
    let mut lines: Vec<&str> = text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    // Jobs have such a field too; that of the App comes last.
    let at = lines.iter().rposition(|line| line.trim() == "suspend:");
    let at = at.ok_or_else(|| anyhow::anyhow!("the kind App has no suspend"))?;
    let end = lines.iter().skip(at + 1).position(|line| indent(line) <= indent(lines[at]));
    lines.drain(at..at + 1 + end.unwrap_or_default());
    std::fs::write(&file, lines.join("\n") + "\n")?;
    Ok(folder.join("keelway"))
}

async fn upgrade(chart: &Path) -> anyhow::Result<()> {
    let (helm, chart) = (setting("HELM")?, chart.display().to_string());
    let arguments = [
        "upgrade",
        "keelway",
        &chart,
        "-n",
        "keelway-system",
        "--reset-then-reuse-values",
        "--wait",
        "--timeout",
        "2m",
    ];
    run(&helm, &arguments, None).await?;
    Ok(())
}

#[tokio::test]
async fn an_upgrade_brings_new_fields_and_keeps_the_objects() -> anyhow::Result<()> {
    let space = Space::new("upgrade").await?;
    let folder = std::env::temp_dir().join(format!("keelway-e2e-{}", space.name));
    std::fs::create_dir(&folder)?;
    upgrade(&older_chart(&folder)?).await?;
    let app = format!(
        "apiVersion: keelway.dev/v1alpha1\nkind: App\nmetadata: {{name: shop}}\nspec: {{image: {}, suspend: true}}\n",
        hello("1")?
    );
    let uid = ["get", "crd", "apps.keelway.dev", "-o", "jsonpath={.metadata.uid}"];
    let (before, refused) = (kubectl(&uid).await, space.apply(&app).await);
    // Whatever came of it, the cluster gets the chart of now back.
    upgrade(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/keelway")).await?;
    let words = format!("{:#}", refused.expect_err("the older kind takes no suspend"));
    assert!(words.contains("suspend"), "{words}");
    space.apply(&app).await?;
    assert_eq!(kubectl(&uid).await?, before?, "the kind was upgraded, not made anew");
    std::fs::remove_dir_all(&folder)?;
    space.done().await
}
