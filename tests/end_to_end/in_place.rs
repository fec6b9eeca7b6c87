//! Levels in place: what a run leaves behind does not show it.

use crate::random::Random;
use crate::{BACKENDS, assert_same};
use std::sync::atomic::{AtomicBool, Ordering};
use wavefold::Result;
use wavefold::prelude::*;

const SHAPE: [usize; 3] = [6, 5, 19];

/// A function of `order + 1` levels and an operator that replaces its oldest level.
struct Case {
    u: TimeFunction,
    op: Operator,
    order: u32,
    backward: bool,
}

impl Case {
    fn new(order: u32, backward: bool, rank: usize) -> Result<Case> {
        let grid = Grid::new(&SHAPE[3 - rank..]);
        let u = TimeFunction::new("u", &grid).space_order(2).time_order(order).build()?;
        let m = Function::new("m", &grid).build()?;
        m.set_data(Random::new(7).array(m.data()?.shape(), 0.5, 1.5))?;
        let (newest, oldest) = match backward {
            false => (u.forward(), u.backward_by(order as i32 - 1)),
            true => (u.backward(), u.forward_by(order as i32 - 1)),
        };
        // With two levels, the oldest is the current one, which then must not be read aside.
        let around = if order == 1 { m.laplace() } else { u.laplace() };
        let op = Operator::new([eq(newest, oldest * 0.5 + around * &m * 0.05)])?;
        assert!(op.tree().contains("in place"), "{}", op.tree());
        Ok(Case { u, op, order, backward })
    }

    fn fill(&self) -> Result<()> {
        Ok(self.u.set_data(Random::new(3).array(self.u.data()?.shape(), -1.0, 1.0))?)
    }

    fn run(&self, (first, last): (usize, usize), backend: Backend) -> Result<()> {
        self.op.apply().time_min(first).time_max(last).backend(backend).threads(2).run()?;
        Ok(())
    }

    /// As many runs as there are steps: none of them is long enough for a level to stay in place.
    fn run_step_by_step(&self, (first, last): (usize, usize)) -> Result<()> {
        let steps: Vec<usize> = (first..=last).collect();
        let in_order: Vec<usize> = if self.backward { steps.into_iter().rev().collect() } else { steps };
        in_order.into_iter().try_for_each(|t| self.run((t, t), Backend::Cranelift))
    }
}

fn cases() -> impl Iterator<Item = Case> {
    let orders = [1, 2].into_iter().flat_map(|order| [false, true].map(|backward| (order, backward)));
    orders.flat_map(|(order, backward)| (1..=3).map(move |rank| Case::new(order, backward, rank).unwrap()))
}

#[test]
fn one_run_leaves_what_single_steps_leave() -> Result<()> {
    for case in cases() {
        for (first, steps) in [(1, 1), (1, 2), (2, 3), (1, 6), (4, 7), (5, 8), (1, 13), (3, 20)] {
            let range = (first, first + steps - 1);
            case.fill()?;
            case.run_step_by_step(range)?;
            let wanted = case.u.data()?;
            for backend in BACKENDS {
                case.fill()?;
                case.run(range, backend)?;
                let what = format!("order {}, {steps} steps from {first}, {backend}", case.order);
                assert_same(&case.u.data()?, &wanted, &what);
            }
        }
    }
    Ok(())
}

/// Levels with halos of their own keep their memory.
#[test]
fn halos_of_levels_stay_theirs() -> Result<()> {
    for backward in [false, true] {
        let case = Case::new(2, backward, 2)?;
        let range = (1, 14);
        let all = Random::new(5).array(case.u.data_with_halo()?.shape(), -1.0, 1.0);
        case.u.set_data_with_halo(all.clone())?;
        case.run_step_by_step(range)?;
        let wanted = case.u.data_with_halo()?;
        for backend in BACKENDS {
            case.u.set_data_with_halo(all.clone())?;
            case.run(range, backend)?;
            assert_same(&case.u.data_with_halo()?, &wanted, &format!("{backend}, backward {backward}"));
        }
    }
    Ok(())
}

/// A run that is stopped leaves its last levels where they are looked for.
#[test]
fn a_stopped_run_leaves_its_levels_in_their_slots() -> Result<()> {
    for case in cases() {
        let (first, last) = (2, 30);
        for done in 1..9 {
            let ran = if case.backward { (last + 1 - done, last) } else { (first, first + done - 1) };
            case.fill()?;
            case.run_step_by_step(ran)?;
            // The levels that the next step would read.
            let levels: Vec<usize> = match case.backward {
                false => (0..case.order as usize).map(|i| ran.1 + 1 - i).collect(),
                true => (0..case.order as usize).map(|i| ran.0 - 1 + i).collect(),
            };
            let wanted: Vec<Data> = levels.iter().map(|n| Ok(case.u.at(*n)?)).collect::<Result<_>>()?;
            for backend in BACKENDS {
                case.fill()?;
                let flag = AtomicBool::new(false);
                let stop = |steps: u64, _| flag.store(steps + 1 == done as u64, Ordering::Relaxed);
                let apply = case.op.apply().time_min(first).time_max(last).backend(backend).threads(2);
                let error = apply.cancel(&flag).progress(&stop).run().unwrap_err();
                assert_eq!(error.code(), "run::cancelled");
                for (level, wanted) in levels.iter().zip(&wanted) {
                    let what = format!("{backend}, order {}, level {level} after {done}", case.order);
                    assert_same(&case.u.at(*level)?, wanted, &what);
                }
            }
        }
    }
    Ok(())
}
