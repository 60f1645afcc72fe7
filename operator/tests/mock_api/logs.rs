//! What a container printed before it ended is shown in the condition of its stage.

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::starts::LONG_AGO;
use super::{BACKEND, DATABASE, World};

impl World {
    /// Lets the backend of the first release crash once it has printed something.
    pub(super) async fn crash(&self, log: &[u8]) -> Result<String> {
        let status = json!({"containerStatuses": [{
            "name": "backend", "image": "a/b:1", "imageID": "", "ready": false, "restartCount": 3,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1}},
        }]});
        self.first_pod(&status, log, false).await
    }

    /// Gives the backend of the first release a pod with this status, which was made long ago and has printed something. `late` says
    /// whether it had its time.
    async fn first_pod(&self, status: &Value, log: &[u8], late: bool) -> Result<String> {
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
            "conditions": [{
                "type": "Progressing", "status": if late { "False" } else { "True" },
                "reason": "ProgressDeadlineExceeded",
            }],
        });
        let labels = deployment["spec"]["template"]["metadata"]["labels"].clone();
        self.server.put(&at, deployment);
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "status": status,
            "metadata": {"name": "crashing", "labels": labels, "creationTimestamp": LONG_AGO},
        });
        self.server.put("pods/crashing", pod);
        self.server.print("crashing", log);
        self.reconcile().await??;
        Ok(self.message("BackendReady"))
    }

    /// The SECRET_KEY that the operator generated.
    fn generated_key(&self) -> Result<Vec<u8>> {
        let generated = self.server.get("secrets/shop-generated");
        let key = generated.and_then(|it| Some(it["data"]["SECRET_KEY"].as_str()?.to_owned()));
        Ok(STANDARD.decode(key.context("no key was generated")?)?)
    }
}

#[tokio::test]
async fn a_log_that_is_no_utf8_is_shown() -> Result<()> {
    let world = World::new();
    let message = world.crash(b"\x1b[31mcaf\xe9\x1b[0m is closed\n").await?;
    let expected = "it said: caf\u{fffd} is closed";
    assert!(message.contains(expected), "{message}");
    Ok(())
}

#[tokio::test]
async fn a_secret_value_in_a_log_is_not_shown() -> Result<()> {
    let world = World::new();
    world.reconcile().await??;
    let key = world.generated_key()?;
    let log = [b"bad key: ", key.as_slice(), b" (", &key[..20]].concat();
    let message = world.crash(&log).await?;
    assert!(
        message.contains("it said: bad key: *** (***"),
        "it shows the key"
    );
    Ok(())
}

/// `kubectl get` shows a message up to its first line end, and an Event holds 1024 bytes.
#[tokio::test]
async fn the_line_that_tells_is_in_what_columns_and_events_show() -> Result<()> {
    let world = World::new();
    world.reconcile().await??;
    let key = world.generated_key()?;
    let frame = "  File \"/app/main.py\", line 6, in read\n    raise ValueError(key)\n";
    let trace = format!("Traceback (most recent call last):\n{}", frame.repeat(40));
    let log = [trace.as_bytes(), b"ValueError: bad key ", key.as_slice()].concat();
    world.crash(&log).await?;
    let message = world.message("Ready");
    let told = "pod crashing: container backend ended with exit code 1, 4 time(s) so far; it said: ValueError: bad key ***";
    assert!(message.lines().next().unwrap_or_default().contains(told));
    assert!(message.ends_with("raise ValueError(key)"), "{message}");
    assert!(message.len() <= 1000, "{}", message.len());
    let notes = world.notes("StageFailed");
    assert_eq!(notes, [message]);
    Ok(())
}

#[tokio::test]
async fn a_container_that_does_not_end_before_the_others_is_named_with_what_it_printed_also_once_it_is_late()
-> Result<()> {
    for (late, reason) in [
        (false, "False ReplicasPending"),
        (true, "False ProgressDeadlineExceeded"),
    ] {
        let world = World::new();
        let status = json!({"phase": "Pending", "initContainerStatuses": [{
            "name": "wait-for-redis", "image": "a/b:1", "imageID": "", "ready": false, "restartCount": 0, "started": true,
            "state": {"running": {"startedAt": LONG_AGO}},
        }]});
        let message = world
            .first_pod(&status, b"waiting for redis\n", late)
            .await?;
        let told = "pod crashing: container wait-for-redis runs, and the others start once it has ended; it said: waiting for redis";
        assert!(message.ends_with(told), "{message}");
        assert_eq!(world.condition("BackendReady"), reason);
    }
    Ok(())
}
