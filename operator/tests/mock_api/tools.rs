//! Tools are beside a release: nothing waits for them, and what is wrong with them is told.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::{EDGE, World};

const ADMINER: &str = "deployments/shop-adminer";
const MAIL: &str = "deployments/shop-mail";

/// A stack that serves, with its tools.
async fn with_tools() -> Result<World> {
    let world = World::serving().await?;
    world.patch(&json!({"spec": {"tools": {"adminer": true, "mail": true}}}))?;
    world.settle().await?;
    Ok(world)
}

#[tokio::test]
async fn tools_that_do_not_run_hold_up_no_release() -> Result<()> {
    let world = World::serving().await?;
    world.patch(&json!({"spec": {"version": "v2", "tools": {"adminer": true, "mail": true}}}))?;
    world.server.refuse(ADMINER, 403);
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    assert_eq!(world.condition("ToolsReady"), "False ApiError");
    ensure!(world.server.get(EDGE).is_some());
    Ok(())
}

#[tokio::test]
async fn what_has_the_name_of_a_tool_is_left_alone_and_told() -> Result<()> {
    let world = World::serving().await?;
    let theirs =
        json!({"metadata": {"name": "shop-mail", "namespace": "ns", "uid": "theirs"}, "spec": {}});
    world.server.put("services/shop-mail", theirs.clone());
    world.patch(&json!({"spec": {"tools": {"mail": true}}}))?;
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    assert_eq!(world.condition("ToolsReady"), "False NameTaken");
    let now = world.server.get("services/shop-mail").context("gone")?;
    assert_eq!(now["spec"], theirs["spec"]);
    Ok(())
}

#[tokio::test]
async fn adminer_is_no_release_and_where_mail_goes_is_one() -> Result<()> {
    let world = with_tools().await?;
    assert_eq!(world.condition("ToolsReady"), "True Available");
    let releases = world.releases();
    world.patch(&json!({"spec": {"tools": {"adminer": false}}}))?;
    world.settle().await?;
    ensure!(world.server.get(ADMINER).is_none() && world.server.get(MAIL).is_some());
    assert_eq!(world.releases(), releases);
    assert_eq!(world.condition("ToolsReady"), "True Available");

    world.patch(&json!({"spec": {"tools": {"mail": false}}}))?;
    world.settle().await?;
    ensure!(world.server.get(MAIL).is_none());
    ensure!(world.releases() != releases);
    assert_eq!(world.condition("ToolsReady"), "- -");
    Ok(())
}
