//! A default of a later version of the operator is the next release's: what serves keeps that of its time.

use anyhow::{Context as _, Result};
use appstack_operator::model::inputs::values_hash;
use appstack_operator::model::secret::SecretData;
use appstack_operator::model::stack::value;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::{STACK, World};

/// The hash of the release of before.
const OF_BEFORE: &str = "fedcba9876";

impl World {
    /// A stack that a version of before rolled out, whose default of sslmode was `prefer`.
    async fn of_before() -> Result<Self> {
        let mut world = Self::serving().await?;
        let (old, mut secret) = world.values()?;
        let mut values = SecretData::new();
        let prefer = BASE64_STANDARD.encode("prefer");
        secret["data"][value::DATABASE_SSLMODE] = json!(prefer);
        for (key, value) in secret["data"].as_object().context("no data")? {
            let text = BASE64_STANDARD.decode(value.as_str().context("no text")?)?;
            values.insert(key.clone(), String::from_utf8(text)?.into());
        }
        let new = format!("shop-values-{}", values_hash(&values));
        world.server.put(&format!("secrets/{old}"), secret);
        for connection in ["secrets/shop-db-app", "secrets/shop-db-admin"] {
            let mut secret = world.server.get(connection).context("no connection")?;
            secret["data"]["sslmode"] = json!(prefer);
            world.server.put(connection, secret);
        }
        let hash = |name: &str| name.rsplit('-').next().unwrap_or_default().to_owned();
        let release = world.release_hash()?;
        let of_before = |text: &str| {
            let text = text.replace(&hash(&old), &hash(&new));
            text.replace(&release, OF_BEFORE)
        };
        let manifests = world.manifests()?;
        for (at, object) in world.server.everything() {
            let text = object.to_string();
            if text != of_before(&text) && at != manifests {
                let renamed = of_before(&at);
                if renamed != at {
                    world.server.remove(&at);
                }
                world
                    .server
                    .put(&renamed, serde_json::from_str(&of_before(&text))?);
            }
        }
        let record = world.server.get(&manifests).context("no manifests")?;
        let record = serde_json::from_str(&of_before(&record.to_string()))?;
        world.keep(&manifests, record)?;
        world.restart()?;
        world.server.forget();
        Ok(world)
    }

    /// The hash of the release that serves, where there was only one.
    fn release_hash(&self) -> Result<String> {
        let records = self.server.all("ControllerRevision").into_iter();
        let mut releases = records.filter(|it| it["data"]["record"] == "release");
        let release = releases.next().context("nothing serves")?;
        let hash = release["data"]["hash"].as_str();
        Ok(hash.context("no hash")?.to_owned())
    }

    /// The name and the content of the Secret with values.
    fn values(&self) -> Result<(String, Value)> {
        let selected = self.server.get(&self.serving_backend()?);
        let text = selected.context("no Deployment")?.to_string();
        let mut secrets = self.server.all("Secret").into_iter();
        let found = secrets.find_map(|it| {
            let name = it["metadata"]["name"].as_str()?.to_owned();
            (name.starts_with("shop-values-") && text.contains(&name)).then_some((name, it))
        });
        found.context("no values")
    }

    /// The sslmode that pods which get requests read.
    fn sslmode(&self) -> Result<String> {
        let (_, secret) = self.values()?;
        let mode = secret["data"][value::DATABASE_SSLMODE].as_str();
        Ok(String::from_utf8(
            BASE64_STANDARD.decode(mode.context("no sslmode")?)?,
        )?)
    }
}

#[tokio::test]
async fn an_upgrade_leaves_the_sslmode_of_what_serves_and_the_next_release_has_another()
-> Result<()> {
    let world = World::of_before().await?;
    let running = world.running();
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    assert_eq!(world.running(), running);
    assert_eq!(world.release_hash()?, OF_BEFORE);
    assert_eq!(world.sslmode()?, "prefer");

    world.server.set(STACK, "version", json!("v2"))?;
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    assert_eq!(world.sslmode()?, "disable");
    Ok(())
}
