//! Kinds of other projects that come and go while a stack is rolled out.

use anyhow::Result;
use appstack_operator::api::annotation;
use appstack_operator::model::kinds::Middleware;
use appstack_operator::runtime::kind::Kind;
use appstack_operator::runtime::optional_apis::Definition;
use serde_json::json;

use super::{STACK, World};

const REDIRECT: &str = "middlewares/shop-redirect";

impl World {
    /// A stack whose visitors are sent to HTTPS where Traefik can be told so.
    fn encrypted(is_served: bool) -> Result<Self> {
        let world = Self::new();
        let fields = [
            ("environment", json!("staging")),
            ("domain", json!("example.com")),
            ("edge", json!({"tls": {"selfSigned": {}}})),
        ];
        for (field, value) in fields {
            world.server.set(STACK, field, value)?;
        }
        world.serves(is_served);
        Ok(world)
    }

    /// Lets the API server serve Traefik's kinds, or not.
    pub(super) fn serves(&self, is_served: bool) {
        let definition = Definition::of(Kind::of::<Middleware>());
        self.context.optional.note(&definition, is_served);
    }

    fn redirects(&self) -> bool {
        self.server.get(REDIRECT).is_some()
    }

    fn asks_for_middlewares(&self) -> bool {
        let requests = self.server.requests();
        requests.iter().any(|it| it.contains("middlewares"))
    }
}

#[tokio::test]
async fn a_release_that_is_under_way_gets_what_is_served_by_now() -> Result<()> {
    let world = World::encrypted(false)?;
    world.reconcile().await??;
    world.serves(true);
    world.settle().await?;
    assert!(world.redirects());
    Ok(())
}

#[tokio::test]
async fn what_was_verified_without_a_kind_stays_as_it_was_rendered_until_it_is_renewed()
-> Result<()> {
    let world = World::encrypted(false)?;
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    assert!(!world.asks_for_middlewares());

    world.serves(true);
    world.reconcile().await??;
    assert!(!world.redirects());
    assert!(world.condition("TemplatesCurrent").starts_with("False "));
    world.patch(&json!({"metadata": {"annotations": {annotation::RENEW: "now"}}}))?;
    world.settle().await?;
    assert!(world.redirects());
    Ok(())
}

#[tokio::test]
async fn a_stack_goes_on_without_a_kind_that_is_served_no_more_and_has_it_back_when_it_is()
-> Result<()> {
    let world = World::encrypted(true)?;
    world.settle().await?;
    assert!(world.redirects());

    world.serves(false);
    world.server.remove(REDIRECT);
    world.server.remove("ingresses/shop-edge");
    world.server.forget();
    world.reconcile().await??;
    assert!(!world.asks_for_middlewares());
    assert!(
        world.applied("ingresses/shop-edge"),
        "all else is looked after"
    );
    assert_eq!(world.condition("Ready"), "True RolledOut");

    world.serves(true);
    world.reconcile().await??;
    assert!(world.redirects());
    Ok(())
}
