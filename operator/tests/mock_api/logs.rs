//! What a container printed before it ended is shown in the condition of its stage.

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{BACKEND, DATABASE, World};

impl World {
    /// Lets the backend of the first release crash once it has printed something.
    async fn crash(&self, log: &[u8]) -> Result<String> {
        self.reconcile().await??;
        self.server.complete(DATABASE)?;
        self.reconcile().await??;
        for _ in ["the role", "the migration"] {
            self.server.complete(&self.newest_job()?)?;
            self.reconcile().await??;
        }
        let at = self.newest(BACKEND)?;
        let mut deployment = self.server.get(&at).context("no backend")?;
        deployment["status"] = json!({
            "observedGeneration": deployment["metadata"]["generation"], "replicas": 1, "updatedReplicas": 1,
        });
        let labels = deployment["spec"]["template"]["metadata"]["labels"].clone();
        self.server.put(&at, deployment);
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "crashing", "labels": labels},
            "status": {"containerStatuses": [{
                "name": "backend", "image": "a/b:1", "imageID": "", "ready": false, "restartCount": 3,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 1}},
            }]},
        });
        self.server.put("pods/crashing", pod);
        self.server.print("crashing", log);
        self.reconcile().await??;
        Ok(self.message("BackendReady"))
    }
}

#[tokio::test]
async fn a_log_that_is_no_utf8_is_shown() -> Result<()> {
    let world = World::new();
    let message = world.crash(b"\x1b[31mcaf\xe9\x1b[0m is closed\n").await?;
    let expected = "its last lines: caf\u{fffd} is closed";
    assert!(message.contains(expected), "{message}");
    Ok(())
}

#[tokio::test]
async fn a_secret_value_in_a_log_is_not_shown() -> Result<()> {
    let world = World::new();
    world.reconcile().await??;
    let generated = world.server.get("secrets/shop-generated");
    let key = generated.and_then(|it| Some(it["data"]["SECRET_KEY"].as_str()?.to_owned()));
    let key = STANDARD.decode(key.context("no key was generated")?)?;
    let log = [b"bad key: ", key.as_slice(), b" (", &key[..20]].concat();
    let message = world.crash(&log).await?;
    assert!(
        message.contains("its last lines: bad key: *** (***"),
        "it shows the key"
    );
    Ok(())
}
