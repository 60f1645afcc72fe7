//! Which release a reconciliation works towards, and which one must not suffer from it.
//!
//! Invariant: pure. What is asked for is what the spec or its pin says; only where that has failed the one that serves is
//! the target instead.

pub mod changes;
pub mod debounce;
pub mod pending;
mod serving;
pub mod turns;

use crate::release::schema;
use jiff::Timestamp;
use kube::ResourceExt as _;

use self::pending::Pending;
use self::serving::kept;
use crate::api::{AppStack, SchemaRollback};
use crate::build::{Direction, Pull};
use crate::check;
use crate::error::Invalid;
use crate::model::fact::Failure;
use crate::model::inputs::Inputs;
use crate::model::names::Names;
use crate::model::stack::Stack;
use crate::release::history;
use crate::release::schema::SchemaChange;
use crate::settings::ClusterSettings;

pub use self::serving::{Served, Serving, serving};

/// What a reconciliation does: which release it works towards, and what keeps it from another one.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The release that the spec or its pin asks for.
    pub requested: Stack,
    /// The release that is worked towards.
    pub target: Stack,
    /// Which way that is.
    pub direction: Direction,
    /// How the requested release failed, where that is why another one is worked towards.
    pub failure: Option<Failure>,
    /// What bars the way back to the release that serves.
    pub rollback_blocked: Option<SchemaChange>,
    /// What is done for the requested release, where it waits for somebody's approval or for its images.
    pub pending: Option<Pending>,
    /// When the requested release begins, where it waits for more changes of values.
    pub rests: Option<Timestamp>,
    /// The stack whose turn it is, where the requested release waits for its own.
    pub queued: Option<String>,
}

impl Plan {
    /// The plan for what is requested.
    ///
    /// # Errors
    /// Everything that is wrong with what is requested.
    pub fn new(
        app: &AppStack,
        inputs: &Inputs,
        settings: &ClusterSettings,
        serving: &Serving,
    ) -> Result<Self, Invalid> {
        let mut requested = requested(app, inputs, settings)?;
        if let Serving::Release(served) = serving
            && served.stack.release == requested.release
        {
            requested.manifests.clone_from(&served.stack.manifests);
        }
        let attempt = history::attempt(app);
        let failure = history::failure(&inputs.records, &requested.release, &attempt);
        let rollback_blocked = rollback_blocked(serving, &requested, inputs);
        let is_blocked = rollback_blocked.is_some();
        let plan = Self::ahead(app, inputs, requested, rollback_blocked);
        Ok(match serving {
            Serving::Release(served) if served.stack.release != plan.requested.release => {
                let pending =
                    pending::pending(app, &served.stack, &plan.requested, &inputs.records);
                match failure {
                    _ if plan.requested.hibernates => plan.back_to(served),
                    _ if pending.is_some() => Self {
                        pending,
                        ..plan.back_to(served)
                    },
                    Some(failure) if !is_blocked => Self {
                        failure: Some(failure.clone()),
                        ..plan.back_to(served)
                    },
                    _ => plan,
                }
            }
            // There is nothing else.
            _ => plan,
        })
    }

    /// Ahead, to what is requested.
    fn ahead(
        app: &AppStack,
        inputs: &Inputs,
        requested: Stack,
        rollback_blocked: Option<SchemaChange>,
    ) -> Self {
        Self {
            target: requested.clone(),
            direction: direction(app, inputs),
            failure: None,
            pending: None,
            rests: None,
            queued: None,
            rollback_blocked,
            requested,
        }
    }

    /// The same to the release that serves.
    #[must_use]
    pub fn back_to(self, served: &Served) -> Self {
        Self {
            target: served.stack.clone(),
            direction: Direction::Back,
            ..self
        }
    }

    /// What pulls images of the requested release.
    #[must_use]
    pub fn pulls(&self) -> &[Pull] {
        self.pending.as_ref().map_or(&[], |it| &it.pulls)
    }

    /// Whether the requested release is the one that is worked towards.
    #[must_use]
    pub fn is_ahead(&self) -> bool {
        self.target.release == self.requested.release
    }

    /// Whether the requested release differs from the one that serves by nothing but settings of the operator.
    #[must_use]
    pub fn is_of_settings(&self, served: &Served) -> bool {
        let (requested, serving) = (&self.requested, &served.stack);
        requested.edge.ports() != serving.edge.ports()
            && requested.spec == serving.spec
            && requested.secrets.hash == serving.secrets.hash
            && requested.renewal == serving.renewal
    }

    /// Whether the target is not known to have passed its gates.
    #[must_use]
    pub fn is_unverified(&self, serving: &Serving) -> bool {
        match serving {
            Serving::Release(served) => served.stack.release != self.target.release,
            Serving::Nothing | Serving::Unknown { .. } => true,
        }
    }

    /// Whether the target is not known to be good, and there is something else that serves.
    #[must_use]
    pub fn is_trial(&self, serving: &Serving) -> bool {
        !matches!(serving, Serving::Nothing) && self.is_unverified(serving)
    }
}

fn requested(
    app: &AppStack,
    inputs: &Inputs,
    settings: &ClusterSettings,
) -> Result<Stack, Invalid> {
    let names = Names::of(&app.name_any());
    let pin = app.spec.rollout.as_ref().and_then(|it| it.pin.as_ref());
    let Some(pin) = pin else {
        return check::stack(app, inputs, settings);
    };
    let Some(record) = history::pinned(&app.spec, &names, &inputs.records) else {
        return Err(unknown_pin(pin, &names, inputs));
    };
    let stack = kept(app, record, inputs, settings)?;
    let faults = &stack.edge.limits.faults;
    if !faults.is_empty() {
        // They are those of now, whichever release they are said of.
        return Err(Invalid {
            faults: faults.clone(),
        });
    }
    let serves = history::serving(&inputs.records).is_some_and(|it| it.hash == record.hash);
    match schema_change(&stack, inputs) {
        Some(change) if !serves && refuses(&stack) => Err(Invalid {
            faults: vec![format!(
                "spec.rollout.pin: {pin} is not restored, because {change} (rollout.schemaRollback: Refuse)"
            )],
        }),
        _ => Ok(stack),
    }
}

/// How the schema of a release differs from the one that the database has.
#[must_use]
pub fn schema_change(stack: &Stack, inputs: &Inputs) -> Option<SchemaChange> {
    let migration = stack.migration.as_ref().map(|it| &it.hash);
    schema::schema_change(&inputs.records, stack.data.as_ref(), migration)
}

fn refuses(stack: &Stack) -> bool {
    stack.rollout.schema_rollback == SchemaRollback::Refuse
}

/// Why the way back to the release that serves is barred, if it is.
fn rollback_blocked(serving: &Serving, requested: &Stack, inputs: &Inputs) -> Option<SchemaChange> {
    match serving {
        Serving::Release(served) if refuses(requested) => schema_change(&served.stack, inputs),
        _ => None,
    }
}

fn unknown_pin(pin: &str, names: &Names, inputs: &Inputs) -> Invalid {
    let kept: Vec<String> = inputs
        .records
        .releases
        .iter()
        .map(|it| names.release(&it.hash).into())
        .collect();
    let kept = match kept.as_slice() {
        [] => "none is kept yet".to_owned(),
        kept => format!("kept are {}", kept.join(", ")),
    };
    Invalid {
        faults: vec![format!(
            "spec.rollout.pin: there is no kept release {pin}; {kept}"
        )],
    }
}

/// To a release that is older than the one that serves it goes back.
fn direction(app: &AppStack, inputs: &Inputs) -> Direction {
    let names = Names::of(&app.name_any());
    let pinned = history::pinned(&app.spec, &names, &inputs.records);
    let serving = history::serving(&inputs.records);
    match (pinned, serving) {
        (Some(pinned), Some(serving)) if pinned.verified_at < serving.verified_at => {
            Direction::Back
        }
        _ => Direction::Forward,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::annotation;
    use crate::fixtures::{self, keep};
    use crate::model::fact::Attempt;
    use crate::model::stack::value;

    fn app(tag: &str, rollout: &str) -> AppStack {
        fixtures::app(&format!(
            "rollout: {{{rollout}}}, backend: {{image: 'a/b:{tag}'}}"
        ))
    }

    /// The inputs of a stack that served the tags `1` and then `2`.
    fn inputs() -> Inputs {
        let mut inputs = Inputs::offline(&app("2", ""));
        inputs.stored_certificate.clone_from(&inputs.certificate);
        for tag in ["1", "2"] {
            let stack = fixtures::stack_of(&app(tag, ""), &inputs);
            keep(&mut inputs, &stack);
        }
        inputs
    }

    fn planned(app: &AppStack, inputs: &Inputs) -> Result<Plan, Invalid> {
        let settings = ClusterSettings::default();
        Plan::new(app, inputs, &settings, &serving(app, inputs, &settings))
    }

    fn image(stack: &Stack) -> &str {
        &stack.backend.image
    }

    #[test]
    fn what_serves_is_restored_with_the_values_that_it_had() {
        let mut inputs = inputs();
        inputs.random.secret_key = "another".into();
        let served = serving(&app("3", ""), &inputs, &ClusterSettings::default());
        let Serving::Release(served) = served else {
            panic!("{served:?}");
        };
        assert_eq!(image(&served.stack), "a/b:2");
        assert_eq!(served.stack.secrets.hash, inputs.records.releases[1].values);
    }

    #[test]
    fn a_release_whose_values_are_lost_and_changed_cannot_be_told() {
        let mut inputs = inputs();
        inputs.secrets.clear();
        let same = serving(&app("3", ""), &inputs, &ClusterSettings::default());
        assert!(matches!(same, Serving::Release(_)), "{same:?}");
        inputs.random.secret_key = "another".into();
        let changed = serving(&app("3", ""), &inputs, &ClusterSettings::default());
        assert!(matches!(changed, Serving::Unknown { .. }), "{changed:?}");
    }

    #[test]
    fn what_somebody_put_in_the_place_of_kept_values_is_believed_by_nobody() {
        let mut inputs = inputs();
        let serving = inputs.records.releases[1].clone();
        let values: String = Names::of("shop").values(&serving.values).into();
        let theirs = [(value::SECRET_KEY.to_owned(), "theirs".into())];
        inputs.secrets.insert(values, theirs.into());
        let plan = planned(&app("2", ""), &inputs).unwrap();
        assert_eq!(plan.target.release, serving.hash);
        assert_eq!(plan.target.secrets.hash, serving.values);
    }

    #[test]
    fn what_was_generated_comes_back_from_the_values_of_the_release_that_serves() {
        let mut inputs = inputs();
        inputs.secrets.remove("shop-generated").unwrap();
        inputs.random.secret_key = "another".into();
        inputs.random.database_password = "another".into();
        let plan = planned(&app("2", ""), &inputs).unwrap();
        assert_eq!(plan.target.release, inputs.records.releases[1].hash);
    }

    #[test]
    fn a_new_release_is_the_target_until_it_fails_and_then_the_serving_one() {
        let mut inputs = inputs();
        let app = app("3", "");
        let plan = planned(&app, &inputs).unwrap();
        assert_eq!(image(&plan.target), "a/b:3");
        assert_eq!(plan.direction, Direction::Forward);
        inputs.records.failures.push(Failure {
            release: plan.requested.release.clone(),
            attempt: Attempt {
                generation: 2,
                request: None,
            },
            stage: "backend".into(),
            reason: "ContainerCrashing".into(),
            message: "it ended".into(),
        });
        let plan = planned(&app, &inputs).unwrap();
        assert_eq!(image(&plan.target), "a/b:2");
        assert_eq!(image(&plan.requested), "a/b:3");
        assert_eq!(plan.direction, Direction::Back);
        assert!(plan.failure.is_some());
    }

    #[test]
    fn a_new_secret_key_is_generated_once_for_each_request_and_the_old_one_stays_for_a_release() {
        let mut inputs = inputs();
        let mut app = app("2", "");
        let names = Names::of("shop");
        let first = planned(&app, &inputs).unwrap().requested;
        inputs
            .secrets
            .insert(names.generated().into(), first.secrets.generated.clone());
        let annotations = [(annotation::ROTATE_SECRET_KEY.to_owned(), "now".to_owned())];
        app.metadata.annotations = Some(annotations.into());
        inputs.random.secret_key = "the second key".into();
        let second = planned(&app, &inputs).unwrap().requested;
        let value = |stack: &Stack, key: &str| {
            use secrecy::ExposeSecret as _;
            let value = stack.secrets.values.get(key);
            value.map(|it| it.expose_secret().to_owned())
        };
        assert_eq!(value(&second, value::SECRET_KEY).unwrap(), "the second key");
        assert_eq!(
            value(&second, value::PREVIOUS_KEY),
            value(&first, value::SECRET_KEY)
        );

        // When it serves it stays as it is, whatever random values there are; and the next release is without the old key.
        keep(&mut inputs, &second);
        inputs.random.secret_key = "the third key".into();
        let same = planned(&app, &inputs).unwrap().requested;
        assert_eq!(same.release, second.release);
        app.spec.backend.image = "a/b:3".into();
        let next = planned(&app, &inputs).unwrap().requested;
        assert_eq!(value(&next, value::SECRET_KEY).unwrap(), "the second key");
        assert_eq!(value(&next, value::PREVIOUS_KEY), None);
    }

    #[test]
    fn a_release_that_needs_an_approval_waits_for_its_own() {
        let mut inputs = inputs();
        let mut app = app("3", "approval: Required");
        let plan = planned(&app, &inputs).unwrap();
        assert_eq!(image(&plan.target), "a/b:2");
        let pending = plan.pending.unwrap();
        assert_eq!(pending.changes[0], "backend a/b:2 -> a/b:3");
        inputs.records.pulled.insert(pending.pulls[0].hash.clone());
        let name: String = plan.requested.names.release(&plan.requested.release).into();
        let annotations = [(annotation::APPROVE.to_owned(), name)];
        app.metadata.annotations = Some(annotations.into());
        let plan = planned(&app, &inputs).unwrap();
        assert_eq!(image(&plan.target), "a/b:3");
        app.spec.backend.image = "a/b:4".into();
        let plan = planned(&app, &inputs).unwrap();
        assert!(plan.pending.is_some());
    }

    #[test]
    fn a_stack_that_hibernates_takes_up_no_release() {
        let inputs = inputs();
        let mut app = app("3", "");
        app.spec.hibernate = Some(true);
        let plan = planned(&app, &inputs).unwrap();
        assert_eq!(image(&plan.target), "a/b:2");
        assert!(plan.target.hibernates);
    }

    #[test]
    fn a_pin_goes_back_to_a_kept_release_and_an_unknown_one_names_those_that_are_kept() {
        let inputs = inputs();
        let names = Names::of("shop");
        let old = names.release(&inputs.records.releases[0].hash);
        let plan = planned(&app("2", &format!("pin: {old}")), &inputs).unwrap();
        assert_eq!(image(&plan.target), "a/b:1");
        assert_eq!(plan.direction, Direction::Back);
        let unknown = planned(&app("2", "pin: shop-0"), &inputs).unwrap_err();
        assert!(unknown.faults[0].contains(old.as_str()), "{unknown}");
    }
}
