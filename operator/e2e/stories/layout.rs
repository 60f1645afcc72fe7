//! Where site and API are: at one host, and at others that send their visitors there.

use reqwest::StatusCode;
use reqwest::header::LOCATION;
use serde_json::Value;

use crate::support::{SHOP, SOON, Visitor, story};

const VERSION: &str = "/api/v1/version";

#[test]
fn site_and_api_share_a_host_and_another_one_leads_there() {
    story("layout-single-host", async |world| {
        let one = format!(
            "spec: {{edge: {{layout: SingleHost, hosts: {{redirects: [www.{}]}}}}}}",
            world.domain()
        );
        world.apply(&world.document(SHOP).with(&one)).await;
        let urls = world.ready("shop").await.status.unwrap().urls.unwrap();
        let (site, port) = (urls.dashboard, world.cluster.https_port().unwrap());
        assert_eq!(site, format!("https://{}:{port}", world.domain()));
        assert_eq!(urls.api, site);
        let visitor = world.visitor("shop").await;
        let page = visitor.reads(world, &format!("{site}/")).await;
        visitor.reads(world, &format!("{site}{VERSION}")).await;

        for path in ["/api", "/api/", "/docs", "/docs/", VERSION] {
            assert!(
                !is_page(&visitor, &format!("{site}{path}"), &page).await,
                "{path}"
            );
        }
        for path in ["/items", "/apis", "/docsearch", "/x/api"] {
            assert!(
                is_page(&visitor, &format!("{site}{path}"), &page).await,
                "{path}"
            );
        }
        let config = visitor.text(&format!("{site}/config.json")).await.unwrap();
        let config: Value = serde_json::from_str(&config).unwrap();
        assert_eq!(config["apiUrl"], site);
        assert_eq!(visitor.items(world).await, [""; 0]);

        let www = format!("https://www.{}:{port}/items?page=2", world.domain());
        let answer = world
            .until("the other host leads to the site", SOON * 3, async || {
                let answer = visitor.ask(&www).await.ok()?;
                (answer.status() == StatusCode::MOVED_PERMANENTLY).then_some(answer)
            })
            .await;
        assert_eq!(answer.headers()[LOCATION], format!("{site}/items?page=2"));
    });
}

/// Whether an address shows the page of the site.
async fn is_page(visitor: &Visitor, url: &str, page: &str) -> bool {
    let answer = visitor.ask(url).await.unwrap();
    answer.text().await.unwrap() == page
}
