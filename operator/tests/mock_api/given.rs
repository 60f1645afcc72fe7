//! What users give and what cannot be used of it: it is told before anything is rolled out, never replaced, and what serves goes
//! on.

use anyhow::{Context as _, Result};
use appstack_operator::error::Error;
use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::starts::now;
use super::{BACKEND_SERVICE, EDGE, NAMESPACE, STACK, STATUS, World, certificate, users_secret};

impl World {
    /// Looks at the stack, whose spec has exactly these faults; what serves is healed meanwhile, and else nothing changes.
    async fn refuses(&self, faults: &[&str]) -> Result<()> {
        for healed in [BACKEND_SERVICE, EDGE] {
            self.server.remove(healed);
            self.server.forget();
            let Error::Invalid(invalid) = self.fail().await? else {
                anyhow::bail!("it is no fault of the spec")
            };
            assert_eq!(invalid.faults, faults);
            let changed = self.server.changed();
            let objects = changed.iter().filter(|it| !it.starts_with("events"));
            let objects: Vec<_> = objects.filter(|it| *it != STACK).collect();
            assert_eq!(objects, [healed]);
        }
        assert_eq!(self.condition("Accepted"), "False Invalid");
        Ok(())
    }
}

impl World {
    /// Looks at the stack, whose spec is faulty.
    async fn refuses_whatever(&self) -> Result<()> {
        self.server.forget();
        let error = self.fail().await?;
        anyhow::ensure!(matches!(error, Error::Invalid(_)), "{error:?}");
        Ok(())
    }
}

#[tokio::test]
async fn a_given_key_that_is_no_text_is_told_and_never_replaced() -> Result<()> {
    let world = World::serving().await?;
    users_secret(&world, "keys", json!({"SECRET_KEY": "/w=="}));
    let from = json!({"from": [{"name": "keys"}]});
    world.server.set(STACK, "secrets", from)?;
    let fault = "spec.secrets.from: SECRET_KEY of Secret keys is not text, so no variable can hold it; store it as text in UTF-8, such as in base64, or mount it as a file by podTemplate";
    world.refuses(&[fault]).await?;
    assert_eq!(
        world.message("Accepted"),
        format!("the AppStack is not acceptable: {fault}")
    );
    users_secret(&world, "keys", json!({"SECRET_KEY": "a2V5"}));
    world.reconcile().await??;
    assert_eq!(world.condition("Accepted"), "True Valid");
    Ok(())
}

#[tokio::test]
async fn what_a_variable_refers_to_is_text_or_told() -> Result<()> {
    let world = World::serving().await?;
    users_secret(&world, "keys", json!({"k": "/w==", "n": "AA=="}));
    world.server.put(
        "configmaps/settings",
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": NAMESPACE},
               "binaryData": {"k": "/w=="}}),
    );
    let secret = |key: &str| json!({"secretKeyRef": {"name": "keys", "key": key}});
    let map = json!({"configMapKeyRef": {"name": "settings", "key": "k", "optional": true}});
    let mut app = world.server.get(STACK).context("no AppStack")?;
    app["spec"]["backend"]["env"] = json!([
        {"name": "A", "valueFrom": secret("k")}, {"name": "B", "valueFrom": map},
        {"name": "C", "valueFrom": secret("n")},
    ]);
    world.server.put(STACK, app);
    world
        .refuses(&[
            "spec.backend.env[0].valueFrom: k of Secret keys is not text, so no variable can hold it; store it as text in UTF-8, such as in base64, or mount it as a file by podTemplate",
            "spec.backend.env[1].valueFrom: k of ConfigMap settings is not text, so no variable can hold it; store it as text in UTF-8, such as in base64, or mount it as a file by podTemplate",
            "spec.backend.env[2].valueFrom: n of Secret keys holds a NUL byte, and no variable can; store it without",
        ])
        .await
}

/// A certificate for the hosts of the stack that was valid for a day in 2001.
fn expired() -> Result<Value> {
    valid(Date::constant(2001, 2, 3), Date::constant(2001, 2, 4))
}

/// A certificate for the hosts of the stack that is valid from the beginning of one day to that of another.
fn valid(from: Date, until: Date) -> Result<Value> {
    let time = |day: Date| -> Result<_> {
        let (month, day_of_month) = (day.month().try_into()?, day.day().try_into()?);
        Ok(rcgen::date_time_ymd(day.year().into(), month, day_of_month))
    };
    let hosts = ["dashboard.localhost", "api.localhost"].map(String::from);
    let mut params = rcgen::CertificateParams::new(hosts)?;
    params.not_before = time(from)?;
    params.not_after = time(until)?;
    let key = rcgen::KeyPair::generate()?;
    let certificate = params.self_signed(&key)?.pem();
    let bytes = |text: String| ByteString(text.into_bytes());
    Ok(json!({"tls.crt": bytes(certificate), "tls.key": bytes(key.serialize_pem())}))
}

#[tokio::test]
async fn a_certificate_that_expires_takes_nothing_from_what_serves() -> Result<()> {
    let world = World::new();
    users_secret(&world, "own", certificate(""));
    let edge = json!({"tls": {"secretName": "own"}});
    world.server.set(STACK, "edge", edge)?;
    world.roll_out().await?;
    world.reconcile().await??;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    users_secret(&world, "own", expired()?);
    world
        .refuses(&["spec.edge.tls.secretName: Secret own: its certificate expired at 2001-02-04T00:00:00Z; renew it"])
        .await?;
    users_secret(&world, "own", certificate("renewed"));
    world.reconcile().await??;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    Ok(())
}

#[tokio::test]
async fn a_certificate_that_expires_soon_is_told() -> Result<()> {
    let world = World::new();
    let today = now().to_zoned(TimeZone::UTC).date();
    let later = |days: i64| -> Result<_> { Ok(today.checked_add(days.days())?) };
    users_secret(&world, "own", valid(today, later(16)?)?);
    world
        .server
        .set(STACK, "edge", json!({"tls": {"secretName": "own"}}))?;
    world.settle().await?;
    let metric = "appstack_certificate_expiry_timestamp_seconds";
    let until = |world: &World| -> Result<i64> {
        let text = world.context.metrics.encode();
        let mut lines = text.lines().filter(|it| it.starts_with(metric));
        let line = lines.next().context("no metric")?;
        Ok(line.rsplit(' ').next().unwrap_or_default().parse()?)
    };
    let start =
        |day: Date| -> Result<_> { Ok(day.to_zoned(TimeZone::UTC)?.timestamp().as_second()) };
    assert_eq!(until(&world)?, start(later(16)?)?);
    assert!(!world.message("EdgeReady").contains("certificate"));
    users_secret(&world, "own", valid(today, later(14)?)?);
    world.settle().await?;
    let said = world.message("EdgeReady");
    assert!(
        said.contains("the certificate of Secret own expires at 20"),
        "{said}"
    );
    assert_eq!(world.condition("Ready"), "True RolledOut");
    assert_eq!(until(&world)?, start(later(14)?)?);
    Ok(())
}

#[tokio::test]
async fn a_certificate_that_cannot_serve_is_told_before_anything_is_rolled_out() -> Result<()> {
    let world = World::serving().await?;
    users_secret(&world, "own", json!({"tls.crt": "/w==", "tls.key": "YQ=="}));
    world
        .server
        .set(STACK, "edge", json!({"tls": {"secretName": "own"}}))?;
    world
        .refuses(&["spec.edge.tls.secretName: tls.crt of Secret own is not text; it is to be PEM"])
        .await?;
    users_secret(&world, "own", json!({"tls.crt": "YQ=="}));
    world
        .refuses(&[
            "spec.edge.tls.secretName: Secret own lacks the key tls.key",
            "spec.edge.tls.secretName: Secret own: tls.crt is no certificate in PEM",
        ])
        .await?;
    users_secret(&world, "own", certificate(""));
    let hosts = json!({"tls": {"secretName": "own"}, "hosts": {"api": "shop.localhost"}});
    world.server.set(STACK, "edge", hosts)?;
    world
        .refuses(&["spec.edge.tls.secretName: Secret own: its certificate is for dashboard.localhost, api.localhost, not for shop.localhost"])
        .await
}

#[tokio::test]
async fn an_external_database_that_cannot_be_is_told_with_all_of_its_faults() -> Result<()> {
    let world = World::new();
    // postgres://db, app\n, no user, 0
    users_secret(
        &world,
        "theirs",
        json!({"host": "cG9zdGdyZXM6Ly9kYg==", "dbname": "YXBwCg==", "password": "/w==", "port": "MA=="}),
    );
    let external = json!({"external": {"secretName": "theirs"}});
    world.server.set(STACK, "database", external)?;
    let Error::Invalid(invalid) = world.fail().await? else {
        anyhow::bail!("it is no fault of the spec")
    };
    assert_eq!(
        invalid.faults,
        [
            "spec.database.external.secretName: Secret theirs lacks the key user",
            "spec.database.external.secretName: host of Secret theirs is to be a DNS name such as db.example.com or an address such as 10.0.0.7, without scheme, port and wildcard",
            "spec.database.external.secretName: port of Secret theirs is to be a number from 1 to 65535, such as 5432",
            "spec.database.external.secretName: dbname of Secret theirs begins or ends with white space, such as the line end that `echo` adds; store it without",
            "spec.database.external.secretName: password of Secret theirs is not text, so no variable can hold it; store it as text in UTF-8, such as in base64, or mount it as a file by podTemplate",
        ]
    );
    let applied = world.server.applied().into_iter();
    let applied: Vec<_> = applied.filter(|it| !it.starts_with("events")).collect();
    assert_eq!(applied, [STATUS]);
    Ok(())
}

/// Its migration and its roles are facts of a volume that the spec does not speak of any more.
#[tokio::test]
async fn a_database_elsewhere_that_cannot_be_begins_no_job_of_the_release_that_serves() -> Result<()>
{
    let world = World::serving().await?;
    let elsewhere = json!({"external": {"secretName": "not-there"}});
    world.server.set(STACK, "database", elsewhere)?;
    world.refuses_whatever().await?;
    let changed = world.server.changed();
    assert!(
        changed.iter().all(|it| !it.starts_with("jobs/")),
        "{changed:?}"
    );
    Ok(())
}

/// Whoever changes a value learns what that does not do: once, and not again while the stack is at rest.
#[tokio::test]
async fn a_changed_key_or_password_tells_once_what_it_does_not_do() -> Result<()> {
    const KEY: &str = "SECRET_KEY has changed: sessions signed with the previous key hold only where the application reads SECRET_KEY_PREVIOUS";
    const PASSWORD: &str = "FIRST_SUPERUSER_PASSWORD has changed: it is given to new pods; an account that is there already keeps its password";
    let world = World::serving().await?;
    let told = || {
        let keys = world.notes("SecretKeyChanged");
        let passwords = world.notes("SuperuserPasswordChanged");
        (keys, passwords)
    };
    let releases = async || -> Result<()> {
        world.reconcile().await??;
        assert_eq!(world.condition("Ready"), "False RollingOut");
        world.server.complete(&world.newest(super::BACKEND)?)?;
        for _ in ["it is verified", "it is read", "it rests"] {
            world.reconcile().await??;
        }
        assert_eq!(world.condition("Ready"), "True RolledOut");
        Ok(())
    };
    users_secret(&world, "keys", json!({"SMTP_USER": "dQ=="}));
    let from = json!({"from": [{"name": "keys"}]});
    world.server.set(STACK, "secrets", from)?;
    releases().await?;
    assert_eq!(told(), (vec![], vec![]));
    users_secret(
        &world,
        "keys",
        json!({"SMTP_USER": "dQ==", "FIRST_SUPERUSER_PASSWORD": "cGFzc3dvcmQ="}),
    );
    releases().await?;
    assert_eq!(told(), (vec![], vec![PASSWORD.to_owned()]));
    users_secret(
        &world,
        "keys",
        json!({"SECRET_KEY": "YSBrZXk=", "FIRST_SUPERUSER_PASSWORD": "cGFzc3dvcmQ="}),
    );
    releases().await?;
    assert_eq!(told(), (vec![KEY.to_owned()], vec![PASSWORD.to_owned()]));
    Ok(())
}
