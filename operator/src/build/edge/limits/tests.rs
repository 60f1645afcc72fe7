//! Tests of the limits in the objects of a release.

use std::sync::Arc;

use super::*;
use crate::api::{AppStack, AppStackSpec, HostStep, StageName};
use crate::build::{Desired, Direction, build, rendered};
use crate::check;
use crate::model::inputs::Inputs;
use crate::model::observed::Answer;
use crate::settings::ClusterSettings;

const BOTH: &str = "frontend: {image: 'a/c:1'}";

fn stack(environment: &str, edge: &str, more: &str) -> Stack {
    let text = format!(
        "{{environment: {environment}, domain: example.com, backend: {{image: 'a/b:1'}}, edge: {{tls: {{selfSigned: {{}}}}, {edge}}}, {more}}}"
    );
    let spec: AppStackSpec = serde_saphyr::from_str(&text).unwrap();
    let mut app = AppStack::new("shop", spec);
    app.metadata.namespace = Some("ns".into());
    check::kept(&app, &Inputs::offline(&app), &ClusterSettings::default())
}

fn edge(stack: &Stack) -> Vec<Object> {
    let desired = build(stack, Direction::Forward);
    let stages = desired.stages.into_iter();
    let edge = stages.filter(|it| it.name == StageName::Edge);
    edge.flat_map(|it| it.objects).collect()
}

fn ingress<'a>(objects: &'a [Object], name: &str) -> Option<&'a Ingress> {
    objects.iter().find_map(|it| match it {
        Object::Ingress(it) if it.metadata.name.as_deref() == Some(name) => Some(it.as_ref()),
        _ => None,
    })
}

fn spec(objects: &[Object], name: &str) -> Option<MiddlewareSpec> {
    objects.iter().find_map(|it| match it {
        Object::Middleware(it) if it.metadata.name.as_deref() == Some(name) => {
            Some(it.spec.clone())
        }
        _ => None,
    })
}

/// The middlewares that the requests of an Ingress pass.
fn passed(objects: &[Object], name: &str) -> Option<String> {
    let annotations = ingress(objects, name)?.metadata.annotations.as_ref();
    let named = annotations.and_then(|it| it.get(MIDDLEWARES));
    let named = named.map_or("", String::as_str);
    Some(named.replace("@kubernetescrd", ""))
}

fn hosts(objects: &[Object], name: &str) -> Vec<String> {
    let spec = ingress(objects, name).unwrap().spec.as_ref();
    let rules = spec.unwrap().rules.iter().flatten();
    rules.filter_map(|it| it.host.clone()).collect()
}

fn rate_limit(average: i32, burst: i32, depth: Option<i32>) -> MiddlewareSpec {
    let source_criterion = depth.map(|depth| kinds::SourceCriterion {
        ip_strategy: IpStrategy { depth },
    });
    MiddlewareSpec {
        rate_limit: Some(kinds::RateLimit {
            average,
            burst,
            source_criterion,
        }),
        ..MiddlewareSpec::default()
    }
}

#[test]
fn production_is_limited_by_default_and_nothing_else_is() {
    let production = edge(&stack("production", "", BOTH));
    let limit = spec(&production, "shop-rate-limit");
    assert_eq!(limit, Some(rate_limit(100, 200, None)));
    assert_eq!(
        passed(&production, "shop-edge").unwrap(),
        "ns-shop-rate-limit,ns-shop-hsts"
    );
    assert_eq!(
        passed(&production, "shop-edge-http").unwrap(),
        "ns-shop-rate-limit,ns-shop-redirect"
    );
    let off = stack("production", "rateLimit: {disabled: {}}", BOTH);
    for stack in [&stack("staging", "", BOTH), &off] {
        let objects = edge(stack);
        assert_eq!(spec(&objects, "shop-rate-limit"), None);
        assert!(!passed(&objects, "shop-edge").unwrap().contains("rate"));
    }
}

#[test]
fn who_may_not_come_in_is_not_counted_and_clients_are_told_apart_behind_proxies() {
    let limits = "rateLimit: {average: 5}, access: {allow: ['10.0.0.0/8', '::1']}";
    let list = |ip_strategy: Option<IpStrategy>| {
        let source_range = ["10.0.0.0/8", "::1"].map(String::from).into();
        Some(MiddlewareSpec {
            ip_allow_list: Some(IpAllowList {
                source_range,
                ip_strategy,
            }),
            ..MiddlewareSpec::default()
        })
    };
    let plain = edge(&stack("staging", limits, BOTH));
    assert_eq!(
        passed(&plain, "shop-edge").unwrap(),
        "ns-shop-allow-list,ns-shop-rate-limit"
    );
    assert_eq!(
        passed(&plain, "shop-edge-http").unwrap(),
        "ns-shop-allow-list,ns-shop-rate-limit,ns-shop-redirect"
    );
    assert_eq!(spec(&plain, "shop-allow-list"), list(None));
    let limits = format!("{limits}, trustedProxies: 2");
    let behind = edge(&stack("staging", &limits, BOTH));
    let second = Some(IpStrategy { depth: 2 });
    assert_eq!(spec(&behind, "shop-allow-list"), list(second));
    assert_eq!(
        spec(&behind, "shop-rate-limit"),
        Some(rate_limit(5, 10, Some(2)))
    );
}

#[test]
fn a_password_guards_the_site_alone_and_the_api_where_there_is_no_site() {
    let password = "access: {basicAuthSecret: team}";
    let both = edge(&stack("staging", password, BOTH));
    let asks = BasicAuth {
        secret: "team".into(),
        remove_header: true,
    };
    let found = spec(&both, "shop-password").unwrap();
    assert_eq!(found.basic_auth, Some(asks));
    assert_eq!(passed(&both, "shop-edge").unwrap(), "ns-shop-password");
    assert_eq!(hosts(&both, "shop-edge"), ["dashboard.example.com"]);
    assert_eq!(passed(&both, "shop-edge-api").unwrap(), "");
    assert_eq!(hosts(&both, "shop-edge-api"), ["api.example.com"]);
    // No password goes in plain text where that leads to HTTPS.
    assert_eq!(passed(&both, "shop-edge-http").unwrap(), "ns-shop-redirect");
    assert_eq!(hosts(&both, "shop-edge-http").len(), 2);

    let local = edge(&stack("local", password, BOTH));
    assert_eq!(
        passed(&local, "shop-edge-http").unwrap(),
        "ns-shop-password"
    );
    assert_eq!(hosts(&local, "shop-edge-http-api"), ["api.example.com"]);

    let api = edge(&stack("staging", password, ""));
    assert_eq!(passed(&api, "shop-edge").unwrap(), "ns-shop-password");
    assert_eq!(hosts(&api, "shop-edge"), ["api.example.com"]);
    assert_eq!(passed(&api, "shop-edge-api"), None);
}

#[test]
fn a_password_guards_the_site_alone_where_the_api_shares_its_host() {
    let edges = "access: {basicAuthSecret: team}, layout: SingleHost, paths: [/graphql]";
    let stack = stack("staging", edges, BOTH);
    let both = edge(&stack);
    let paths = |name: &str| -> Vec<String> {
        let spec = ingress(&both, name).unwrap().spec.as_ref().unwrap();
        let rules = spec.rules.iter().flatten();
        let paths = rules.flat_map(|it| it.http.iter().flat_map(|it| &it.paths));
        paths
            .map(|it| it.path.clone().unwrap_or_default())
            .collect()
    };
    assert_eq!(passed(&both, "shop-edge").unwrap(), "ns-shop-password");
    assert_eq!(paths("shop-edge"), [""]);
    assert_eq!(passed(&both, "shop-edge-api").unwrap(), "");
    let api = ["/api", "/api/", "/docs", "/docs/", "/graphql", "/graphql/"];
    assert_eq!(paths("shop-edge-api"), api);
    for name in ["shop-edge", "shop-edge-api"] {
        assert_eq!(hosts(&both, name), ["example.com"]);
    }
    let desired = build(&stack, Direction::Forward);
    let check = desired.stages.into_iter().rev().find_map(|it| it.check);
    let unauthorized = Answer::Application {
        status: 401,
        said: String::new(),
    };
    let turned_away = |path: &str| {
        let url = format!("https://example.com{path}");
        check.as_ref().unwrap().turns_away(&url, &unauthorized)
    };
    assert!(turned_away("/") && turned_away("/apis"));
    assert!(!turned_away("/api/v1") && !turned_away("/graphql"));
}

#[test]
fn a_middleware_comes_before_whatever_names_it_and_a_site_never_takes_its_api_along() {
    let all = "rateLimit: {average: 5}, access: {allow: ['::1'], basicAuthSecret: team}";
    for environment in ["staging", "production"] {
        let objects = edge(&stack(environment, all, BOTH));
        let first = objects
            .iter()
            .position(|it| matches!(it, Object::Ingress(_)));
        let mut later = objects[first.unwrap()..].iter();
        assert!(later.all(|it| matches!(it, Object::Ingress(_))));
        let names: Vec<String> = objects.iter().map(Object::name).collect();
        let at = |name: &str| names.iter().position(|it| it == name);
        assert!(at("shop-edge-api").is_some(), "{names:?}");
        assert!(at("shop-edge-api") < at("shop-edge"), "{names:?}");
    }
}

#[test]
fn a_release_of_before_there_were_limits_has_none_by_default_and_those_that_are_said() {
    let mut old = stack("production", "", BOTH);
    let mut kept = rendered(&old);
    assert!(kept.rate_limit.is_some());
    kept.rate_limit = None;
    old.manifests = Some(Arc::new(kept.clone()));
    assert_eq!(spec(&edge(&old), "shop-rate-limit"), None);
    let mut said = stack("production", "rateLimit: {average: 5}", BOTH);
    said.manifests = Some(Arc::new(kept));
    assert!(spec(&edge(&said), "shop-rate-limit").is_some());
    // They are not kept with the release, so that an older operator knows all that it reads of it.
    assert_eq!(rendered(&said).hash(), rendered(&old).hash());
}

#[test]
fn what_is_faulty_leaves_the_ingresses_as_they_are() {
    let faulty = edge(&stack("staging", "access: {allow: ['10.1.2.3/8']}", BOTH));
    let mut kinds = faulty.iter().map(Object::kind);
    assert!(kinds.all(|it| it != "Ingress"), "{faulty:?}");
    assert!(spec(&faulty, "shop-redirect").is_some());
}

#[test]
fn what_turns_visitors_away_at_an_address_is_a_good_answer_there_alone() {
    let refused = |edge: &str, more: &str| -> Vec<(String, u16)> {
        let desired: Desired = build(&stack("staging", edge, more), Direction::Forward);
        let check = desired.stages.iter().rev().find_map(|it| it.check.clone());
        let refusals = check.unwrap().refusals.into_iter();
        refusals.map(|it| (it.host, it.status)).collect()
    };
    let (api, site) = ("https://api.example.com", "https://dashboard.example.com");
    let of = |all: &[(&str, u16)]| -> Vec<(String, u16)> {
        all.iter()
            .map(|(host, status)| ((*host).to_owned(), *status))
            .collect()
    };
    assert_eq!(refused("", BOTH), of(&[]));
    let allow = "access: {allow: ['::1']}";
    assert_eq!(refused(allow, BOTH), of(&[(api, 403), (site, 403)]));
    let password = "access: {basicAuthSecret: team}";
    assert_eq!(refused(password, BOTH), of(&[(site, 401)]));
    assert_eq!(refused(password, ""), of(&[(api, 401)]));
    let rate = "rateLimit: {average: 1}";
    assert_eq!(refused(rate, ""), of(&[(api, 429)]));
}

#[test]
fn only_the_answer_of_the_edge_itself_counts_as_one() {
    let stack = stack("staging", "access: {basicAuthSecret: team}", BOTH);
    let desired = build(&stack, Direction::Forward);
    let check = desired.stages.into_iter().rev().find_map(|it| it.check);
    let check = check.unwrap();
    let said = String::new();
    let answer = |status| Answer::Application {
        status,
        said: said.clone(),
    };
    let site = "https://dashboard.example.com/";
    assert!(check.turns_away(site, &answer(401)));
    assert!(!check.turns_away(site, &answer(403)));
    assert!(!check.turns_away("https://api.example.com/", &answer(401)));
    assert!(!check.turns_away("https://dashboard.example.com.other/", &answer(401)));
    assert!(!check.turns_away(site, &Answer::Good));
}

#[test]
fn the_page_of_maintenance_is_an_answer_of_the_edge_itself() {
    let page = Answer::Infrastructure {
        step: HostStep::Route,
        status: Some(503),
        why: "503 Service Unavailable".into(),
    };
    let site = "https://dashboard.example.com/";
    for (field, is_told) in [("maintenance: true", true), ("", false)] {
        let desired = build(&stack("staging", field, BOTH), Direction::Forward);
        let check = desired.stages.into_iter().rev().find_map(|it| it.check);
        assert_eq!(check.unwrap().turns_away(site, &page), is_told, "{field}");
    }
}
