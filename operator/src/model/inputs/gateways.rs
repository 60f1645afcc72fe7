//! What is known of the Gateways of the cluster.
//!
//! Invariant: data only, as all inputs.

use std::sync::Arc;

use crate::api::{AppStack, AppStackSpec, GatewayRef};
use crate::model::kinds::gateway::{
    AllowedRoutes, Feature, Gateway, GatewayClass, GatewayClassSpec, GatewayClassStatus,
    GatewaySpec, Listener, RouteNamespaces,
};

/// The Gateways of the cluster and their classes, where a spec asks for one.
#[derive(Clone, Debug, Default)]
pub struct Gateways {
    /// Whether the Gateway API is served here.
    pub served: bool,
    /// All of them.
    pub all: Vec<Arc<Gateway>>,
    /// What implements them.
    pub classes: Vec<Arc<GatewayClass>>,
}

/// The namespace and the name of a Gateway.
pub type GatewayKey = (String, String);

/// The Gateway that the visitors of an AppStack come in by, where they do.
#[must_use]
pub fn gateway(app: &AppStack) -> Option<GatewayKey> {
    let asked = asked_gateway(&app.spec)?;
    let namespace = asked.namespace.as_ref().or(app.metadata.namespace.as_ref());
    Some((namespace.cloned().unwrap_or_default(), asked.name.clone()))
}

/// The Gateway that a spec asks for, where it does.
#[must_use]
pub fn asked_gateway(spec: &AppStackSpec) -> Option<&GatewayRef> {
    spec.edge.as_ref()?.gateway.as_ref()
}

impl Gateways {
    /// A Gateway as a spec asks for it, with listeners of HTTPS and HTTP, that can do everything. It is taken for Traefik's where its
    /// name says so.
    pub(super) fn offline(app: &AppStack) -> Self {
        let (Some(asked), Some((namespace, name))) = (asked_gateway(&app.spec), gateway(app))
        else {
            return Self::default();
        };
        let controller = if name.contains("traefik") {
            GatewayClass::TRAEFIK
        } else {
            "(known to the cluster)"
        };
        let (class, is_off) = ("(known to the cluster)", is_off(app));
        let section = asked.section_name.as_deref();
        let listeners = match section {
            Some(name) => vec![offline_listener(
                name,
                if is_off {
                    Listener::HTTP
                } else {
                    Listener::HTTPS
                },
            )],
            None => vec![
                offline_listener("https", Listener::HTTPS),
                offline_listener("http", Listener::HTTP),
            ],
        };
        let mut gateway = Gateway::new(
            &name,
            GatewaySpec {
                gateway_class_name: class.into(),
                listeners,
            },
        );
        gateway.metadata.namespace = Some(namespace);
        let mut class = GatewayClass::new(
            class,
            GatewayClassSpec {
                controller_name: controller.into(),
            },
        );
        class.status = Some(GatewayClassStatus {
            supported_features: [Feature::RESPONSE_HEADERS, Feature::REQUEST_TIMEOUT]
                .map(|name| Feature::Named { name: name.into() })
                .into(),
        });
        Self {
            served: true,
            all: vec![Arc::new(gateway)],
            classes: vec![Arc::new(class)],
        }
    }
}

/// Whether a spec asks for plain HTTP.
fn is_off(app: &AppStack) -> bool {
    let tls = app.spec.edge.as_ref().and_then(|it| it.tls.as_ref());
    tls.is_some_and(|it| it.disabled.is_some())
}

fn offline_listener(name: &str, protocol: &str) -> Listener {
    let namespaces = RouteNamespaces {
        from: Some("All".into()),
    };
    Listener {
        name: name.into(),
        protocol: protocol.into(),
        allowed_routes: Some(AllowedRoutes {
            namespaces: Some(namespaces),
        }),
        ..Listener::default()
    }
}
