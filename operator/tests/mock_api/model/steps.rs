//! The steps of a case: drawn from a seed, and made fewer where they fail.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::cluster::{Change, Happening};

/// One step of a case.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Something happens beside the operator.
    Happens(Happening),
    /// The operator looks at the stack, and something happens at its n-th request.
    Look(Vec<(usize, Meanwhile)>),
    /// The operator starts anew.
    Restart,
    /// Everything comes to rest, and what is there is looked at. Then all watches are lost, with a gap if their bit is set.
    Rest(u32),
}

/// Something that happens at a request.
#[derive(Clone, Debug)]
pub(super) enum Meanwhile {
    /// Before it is done.
    Happens(Happening),
    /// It fails before it is done.
    Lost,
    /// It fails although it is done.
    Unanswered,
}

/// How often a step of a case is a look and how often it comes to rest, of 1000.
#[derive(Clone, Copy)]
pub(super) struct Mix {
    pub(super) looks: u32,
    pub(super) rests: u32,
}

/// So many steps, always the same of a seed.
pub(super) fn drawn(seed: u64, count: usize, mix: Mix) -> Vec<Step> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut steps: Vec<Step> = (1..count).map(|_| step(&mut random, mix)).collect();
    steps.push(Step::Rest(random.random()));
    steps
}

fn step(random: &mut StdRng, mix: Mix) -> Step {
    let draw = random.random_range(0..1000);
    if draw < mix.looks {
        let count = random.random_range(0..4_usize).saturating_sub(1);
        let meanwhile = (0..count).map(|_| (random.random_range(0..12), meanwhile(random)));
        return Step::Look(meanwhile.collect());
    }
    if draw < mix.looks + mix.rests {
        return Step::Rest(random.random());
    }
    if draw < mix.looks + mix.rests + 4 {
        return Step::Restart;
    }
    Step::Happens(happening(random))
}

fn meanwhile(random: &mut StdRng) -> Meanwhile {
    match random.random_range(0..6) {
        0 => Meanwhile::Lost,
        1 => Meanwhile::Unanswered,
        _ => Meanwhile::Happens(happening(random)),
    }
}

fn happening(random: &mut StdRng) -> Happening {
    let any = random.random_range(0..1 << 20);
    let count = random.random_range(1..6);
    match random.random_range(0..100) {
        0..10 => Happening::Change(any, change(random)),
        10..13 => Happening::Delete(any),
        13..17 => Happening::Refer(any, random.random_range(0..4) > 0),
        17..20 => Happening::Ask(any),
        20..25 => Happening::Interrupt(any, random.random()),
        25..35 => Happening::Resume(any),
        35..50 => Happening::List(any, count),
        50..53 => Happening::Repeat(any),
        53..58 => Happening::Run,
        _ => Happening::Deliver(any, count),
    }
}

fn change(random: &mut StdRng) -> Change {
    match random.random_range(0..6) {
        0 => Change::Label,
        1 => Change::Unlabel,
        2 => Change::Status,
        3 => Change::Replace,
        _ => Change::Spec,
    }
}

/// The ways to leave out some of the steps: halves first, then ever less.
pub(super) fn fewer(steps: &[Step], size: usize) -> impl Iterator<Item = Vec<Step>> {
    let starts = (0..steps.len()).step_by(size.max(1));
    starts.map(move |start| {
        let end = (start + size).min(steps.len());
        [steps.get(..start), steps.get(end..)]
            .into_iter()
            .flatten()
            .flatten()
            .cloned()
            .collect()
    })
}
