//! Schedules in the words of cron, as Kubernetes takes them.
//!
//! Source: the format of a CronJob's `schedule`, <https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/>.

/// What stands for a whole schedule.
const MACROS: [&str; 7] = [
    "@yearly",
    "@annually",
    "@monthly",
    "@weekly",
    "@daily",
    "@midnight",
    "@hourly",
];

/// The days of each month, in a leap year.
const DAYS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// One of the five fields.
struct Field {
    name: &'static str,
    first: u32,
    last: u32,
    /// Names for the values, from the first one on.
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field::of("minute", 0, 59, &[]),
    Field::of("hour", 0, 23, &[]),
    Field::of("day of month", 1, 31, &[]),
    Field::of(
        "month",
        1,
        12,
        &[
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ],
    ),
    Field::of(
        "day of week",
        0,
        6,
        &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    ),
];

/// What is wrong with a schedule, and how it would be right.
pub(super) fn check(schedule: &str) -> Result<(), String> {
    if schedule.starts_with('@') {
        return if MACROS.contains(&schedule) {
            Ok(())
        } else {
            Err(format!(
                "{schedule} is not known; there are {}",
                MACROS.join(", ")
            ))
        };
    }
    if schedule.contains('=') {
        return Err("a time zone has a field of its own: timeZone".into());
    }
    let words: Vec<&str> = schedule.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = words.as_slice() else {
        return Err(format!(
            "{} fields, and five are needed: minute, hour, day of month, month and day of week, such as 0 3 * * *",
            words.len()
        ));
    };
    let mut values = Vec::new();
    for (field, word) in FIELDS.iter().zip([minute, hour, day, month, weekday]) {
        values.push(field.values(word)?);
    }
    let every_weekday = is_any(weekday);
    let comes = every_weekday.then(|| comes(&values[2], &values[3]));
    if comes == Some(false) {
        return Err("no month of these has such a day, so that it would never run".into());
    }
    Ok(())
}

/// Whether one of the months has one of the days.
fn comes(days: &[u32], months: &[u32]) -> bool {
    let length = |month: &u32| DAYS.get(usize::try_from(*month).ok()?.checked_sub(1)?);
    let longest = months.iter().filter_map(length).max();
    days.iter().any(|day| Some(day) <= longest)
}

fn is_any(word: &str) -> bool {
    matches!(word, "*" | "?")
}

impl Field {
    const fn of(name: &'static str, first: u32, last: u32, names: &'static [&'static str]) -> Self {
        Self {
            name,
            first,
            last,
            names,
        }
    }

    /// The values of a list such as `1,10-20/5`.
    fn values(&self, word: &str) -> Result<Vec<u32>, String> {
        let mut all = Vec::new();
        for part in word.split(',') {
            all.extend(self.range(part).ok_or_else(|| {
                let Self {
                    name, first, last, ..
                } = self;
                format!(
                    "{part} is no {name}: give {first} to {last}, a range such as {first}-{last}, a step such as */2, or *"
                )
            })?);
        }
        Ok(all)
    }

    fn range(&self, part: &str) -> Option<impl Iterator<Item = u32> + use<>> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(number(step).filter(|it| *it > 0)?)),
            None => (part, None),
        };
        let (from, to) = match range.split_once('-') {
            _ if is_any(range) => (self.first, self.last),
            Some((from, to)) => (self.value(from)?, self.value(to)?),
            // A step from one value goes to the end.
            None if step.is_some() => (self.value(range)?, self.last),
            None => (self.value(range)?, self.value(range)?),
        };
        let step = usize::try_from(step.unwrap_or(1)).ok()?;
        (from <= to).then(|| (from..=to).step_by(step))
    }

    fn value(&self, word: &str) -> Option<u32> {
        let named = self
            .names
            .iter()
            .position(|it| it.eq_ignore_ascii_case(word));
        let named = named.and_then(|it| u32::try_from(it).ok());
        let value = named.map_or_else(|| number(word), |it| Some(it + self.first))?;
        (self.first..=self.last).contains(&value).then_some(value)
    }
}

/// Digits alone: a sign is none of them.
fn number(word: &str) -> Option<u32> {
    let digits = word.bytes().all(|it| it.is_ascii_digit());
    word.parse().ok().filter(|_| digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubernetes_takes_is_right() {
        for schedule in [
            "0 3 * * *",
            "*/5 * * * *",
            "0-30/10,45 0,12 1-15 jan-MAR,12 Mon-fri",
            "5/15 ? ? * 0",
            "0 0 29 2 *",
            "0 0 31 2 mon",
            "  0  3 * * *  ",
            "@hourly",
            "@annually",
        ] {
            assert_eq!(check(schedule), Ok(()), "{schedule}");
        }
    }

    #[test]
    fn what_it_would_refuse_is_told_with_the_field_and_the_fix() {
        for (schedule, words) in [
            ("0 3 * *", "4 fields, and five are needed"),
            ("0 0 3 * * *", "6 fields, and five are needed"),
            ("60 * * * *", "60 is no minute: give 0 to 59"),
            ("* 24 * * *", "24 is no hour"),
            ("* * 0 * *", "0 is no day of month"),
            ("* * * 13 *", "13 is no month"),
            ("* * * * 7", "7 is no day of week: give 0 to 6"),
            ("* * * * someday", "someday is no day of week"),
            ("*/0 * * * *", "*/0 is no minute"),
            ("30-10 * * * *", "30-10 is no minute"),
            ("+1 * * * *", "+1 is no minute"),
            ("1, * * * *", " is no minute"),
            ("0 0 31 4,6 *", "no month of these has such a day"),
            ("@often", "there are @yearly"),
            ("@every 5m", "there are @yearly"),
            ("TZ=UTC 0 3 * * *", "timeZone"),
        ] {
            let said = check(schedule).unwrap_err();
            assert!(said.contains(words), "{schedule}: {said}");
        }
    }
}
