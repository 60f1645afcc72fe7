//! Tests of what may be said of the limits of the edge.

use jiff::Timestamp;

use super::*;
use crate::model::stack::IngressController;

/// `password`, hashed in each way that is known.
const BCRYPT: &str = "$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC";
const APR1: &str = "$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/";
const SHA: &str = "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=";

fn spec(edge: &str) -> AppStackSpec {
    let text = format!(
        "{{environment: staging, domain: example.com, backend: {{image: 'a/b:1'}}, edge: {{{edge}}}}}"
    );
    serde_saphyr::from_str(&text).unwrap()
}

fn inputs() -> Inputs {
    let app = api::AppStack::new("shop", spec(""));
    Inputs {
        now: Some(Timestamp::UNIX_EPOCH),
        ..Inputs::offline(&app)
    }
}

fn settings() -> ClusterSettings {
    ClusterSettings::default()
}

fn ingress(class: &str, controller: IngressController) -> Proxy {
    Proxy::Ingress {
        class: class.into(),
        controller,
    }
}

fn traefik() -> Proxy {
    ingress("traefik", IngressController::Traefik)
}

fn limits(edge: &str) -> Limits {
    check(&spec(edge), &inputs(), &settings(), &traefik())
}

/// What is wrong with a Secret of these users.
fn faults_of_users(users: &str) -> Vec<String> {
    let mut inputs = inputs();
    let data = [("users".to_owned(), SecretString::from(users))];
    inputs.secrets.insert("team".into(), data.into());
    check(
        &spec("access: {basicAuthSecret: team}"),
        &inputs,
        &settings(),
        &traefik(),
    )
    .faults
}

#[test]
fn a_limit_is_what_the_spec_says_and_its_burst_twice_the_average() {
    let most = |average, burst| Rate::Most(RateLimit { average, burst });
    for (edge, wanted) in [
        ("", Rate::Default),
        ("rateLimit: {disabled: {}}", Rate::Unlimited),
        ("rateLimit: {average: 5}", most(5, 10)),
        ("rateLimit: {average: 5, burst: 6}", most(5, 6)),
    ] {
        assert_eq!(limits(edge).rate, wanted, "{edge}");
    }
    assert_eq!(default_rate(Environment::Local), None);
    assert_eq!(default_rate(Environment::Staging), None);
    let production = default_rate(Environment::Production);
    assert_eq!(
        production.map(|it| (it.average, it.burst)),
        Some((100, 200))
    );
}

#[test]
fn addresses_and_networks_are_let_in_as_they_are_written() {
    let all =
        "'192.0.2.1', '10.0.0.0/8', '0.0.0.0/0', '2001:db8::/32', '::1', '::/0', '192.0.2.1/32'";
    let limits = limits(&format!("access: {{allow: [{all}]}}, trustedProxies: 2"));
    assert_eq!(limits.faults, [""; 0]);
    assert_eq!(limits.allow.len(), 7);
    assert_eq!(limits.proxies, 2);
}

#[test]
fn an_address_inside_a_network_names_the_network_and_what_is_neither_says_so() {
    let faults = |text: &str| limits(&format!("access: {{allow: ['{text}']}}")).faults;
    for (text, network) in [
        (
            "10.1.2.3/8",
            "the network is 10.0.0.0/8, the address alone 10.1.2.3",
        ),
        (
            "2001:db8::1/32",
            "the network is 2001:db8::/32, the address alone 2001:db8::1",
        ),
        ("1.2.3.4/0", "the network is 0.0.0.0/0"),
    ] {
        let faults = faults(text);
        assert!(
            faults.len() == 1 && faults[0].contains(network),
            "{faults:?}"
        );
    }
    for text in [
        "10.0.0.0/33",
        "10.0.0.0/08",
        "10.0.0.0/+8",
        "10.0.0.0/",
        "10.0.0",
        "example.com",
        "::ffff:10.0.0.1",
        "fe80::1%eth0",
        "::/129",
    ] {
        let said = format!("spec.edge.access.allow: {text} is no address and no network");
        let faults = faults(text);
        assert!(
            faults.len() == 1 && faults[0].starts_with(&said),
            "{faults:?}"
        );
    }
}

#[test]
fn users_with_the_hashes_that_are_known_are_taken() {
    let lines = format!("ann:{BCRYPT}\n\nbob:{APR1}\r\neve:{SHA}\n");
    assert_eq!(faults_of_users(&lines), [""; 0]);
}

#[test]
fn a_line_that_cannot_be_is_told_by_its_number_and_never_shown() {
    let cut = &BCRYPT[..50];
    for (users, problem) in [
        (
            "ann".to_owned(),
            "line 1 of users in Secret team is not NAME:HASH",
        ),
        (
            format!(":{BCRYPT}"),
            "line 1 of users in Secret team is not NAME:HASH",
        ),
        (
            format!("ann:{SHA}:x"),
            "line 1 of users in Secret team is not NAME:HASH",
        ),
        (
            format!("# {SHA}"),
            "line 1 of users in Secret team is not NAME:HASH",
        ),
        (
            format!("ann:{SHA}\nbob:hunter22"),
            "line 2 of users in Secret team has no hash of a password behind the name, of bcrypt, apr1 or SHA",
        ),
        (
            format!("ann:{cut}"),
            "line 1 of users in Secret team has no hash",
        ),
        (
            "ann:$1$abc$def".to_owned(),
            "line 1 of users in Secret team has no hash",
        ),
        ("\n".to_owned(), "users of Secret team has no line"),
    ] {
        let faults = faults_of_users(&users);
        let said = format!("spec.edge.access.basicAuthSecret: {problem}");
        assert!(
            faults.len() == 1
                && faults[0].starts_with(&said)
                && faults[0].ends_with("; make it by `htpasswd -nB NAME`"),
            "{faults:?}"
        );
        assert!(!faults[0].contains("hunter22"), "{faults:?}");
    }
}

#[test]
fn a_secret_that_the_edge_could_not_use_is_told() {
    let spec = spec("access: {basicAuthSecret: team}");
    let mut inputs = inputs();
    let faults = |inputs: &Inputs| check(&spec, inputs, &settings(), &traefik()).faults;
    let field = "spec.edge.access.basicAuthSecret";
    let missing = format!("{field}: there is no Secret team in this namespace");
    assert_eq!(faults(&inputs), [missing]);
    let line = SecretString::from(format!("ann:{SHA}"));
    let with = |key: &str| [(key.to_owned(), line.clone())];
    inputs.secrets.insert("team".into(), with("auth").into());
    let lacks = format!("{field}: Secret team lacks the key users; {MAKE}");
    assert_eq!(faults(&inputs), [lacks]);
    let both = with("auth").into_iter().chain(with("users"));
    inputs.secrets.insert("team".into(), both.collect());
    let several = format!(
        "{field}: Secret team has other keys than users, and Traefik takes none with several; move these to another Secret: auth"
    );
    assert_eq!(faults(&inputs), [several]);
}

#[test]
fn what_the_users_are_is_hidden_line_by_line() {
    let spec = spec("access: {basicAuthSecret: team}");
    let mut inputs = inputs();
    let users = format!("ann:{SHA}\nbob:{APR1}");
    let data = [("users".to_owned(), SecretString::from(users.as_str()))];
    inputs.secrets.insert("team".into(), data.into());
    let hidden = hidden(&spec, &inputs);
    let hidden: Vec<&str> = hidden
        .iter()
        .map(secrecy::ExposeSecret::expose_secret)
        .collect();
    assert_eq!(hidden, [users.as_str(), SHA, APR1]);
}

#[test]
fn what_an_ingress_controller_cannot_do_is_refused_where_it_is_asked_for() {
    let edge = "rateLimit: {average: 5}, access: {allow: ['10.0.0.0/8']}, trustedProxies: 1";
    let nginx = ingress("nginx", IngressController::Nginx);
    let faults = check(&spec(edge), &inputs(), &settings(), &nginx).faults;
    let why = "IngressClass nginx is not Traefik's, and the operator can tell no other ingress controller; set edge.className to one of Traefik, or leave this out and do it at the load balancer";
    assert_eq!(
        faults,
        [
            format!("spec.edge.rateLimit: {why}"),
            format!("spec.edge.access: {why}")
        ]
    );
    let off = check(
        &spec("rateLimit: {disabled: {}}"),
        &inputs(),
        &settings(),
        &nginx,
    );
    assert_eq!(off.faults, [""; 0]);
    let without = Inputs {
        traefik_kinds: false,
        ..inputs()
    };
    let faults = check(
        &spec("rateLimit: {average: 5}"),
        &without,
        &settings(),
        &traefik(),
    )
    .faults;
    assert_eq!(
        faults,
        [
            "spec.edge.rateLimit: Traefik's CustomResourceDefinitions are not installed; install them, or leave this out and do it at the load balancer"
        ]
    );
}

#[test]
fn a_page_is_looked_at_before_anybody_needs_it() {
    let judged = |pages: &[(&str, &str)]| {
        let mut inputs = inputs();
        let data = pages.iter();
        let data = data.map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
        if !pages.is_empty() {
            inputs.config_maps.insert("closed".into(), data.collect());
        }
        let spec = spec("maintenancePage: closed");
        check(&spec, &inputs, &settings(), &traefik()).faults
    };
    assert_eq!(
        judged(&[]),
        ["spec.edge.maintenancePage: there is no ConfigMap closed in this namespace"]
    );
    let no_page = "spec.edge.maintenancePage: ConfigMap closed holds no page under the key index.html; make it by `kubectl create configmap closed --from-file=index.html`";
    assert_eq!(judged(&[("page.html", "closed")]), [no_page]);
    assert_eq!(judged(&[("index.html", " \n")]), [no_page]);
    assert_eq!(judged(&[("index.html", "closed")]), [""; 0]);
}

#[test]
fn maintenance_is_answered_by_the_operators_own_image() {
    let of = |edge: &str| limits(edge).maintenance;
    assert_eq!(of("maintenance: false"), None);
    let found = of("maintenance: true").unwrap();
    assert_eq!((found.image, found.page), (settings().image, None));
}
