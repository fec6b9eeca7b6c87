//! Runs at the same time, hooks that misbehave, flags: no deadlock, no wrong value.

use crate::{backends, compressed, counting, grid, time};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;
use wavefold::prelude::*;

/// Runs `body` on a thread of its own, and fails when it takes longer than any of these tests may.
fn within_seconds(body: impl FnOnce() + Send + 'static) {
    let (done, finished) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        body();
        let _ = done.send(());
    });
    if finished.recv_timeout(Duration::from_secs(60)) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("a deadlock");
    }
    thread.join().unwrap();
}

#[test]
fn one_operator_from_four_threads() {
    within_seconds(|| {
        for backend in backends() {
            let u = time("u", &Grid::new([40, 50]));
            let op = Operator::new([eq(u.forward(), &u + 1.0)]).unwrap();
            std::thread::scope(|scope| {
                for i in 0..4 {
                    let op = &op;
                    scope.spawn(move || {
                        for _ in 0..25 {
                            // An even number of steps: the newest level is level 0 again.
                            op.apply()
                                .time_min(0)
                                .time_max(1)
                                .backend(backend)
                                .threads(1 + i % 3)
                                .run()
                                .unwrap();
                        }
                    });
                }
            });
            assert_eq!((u.at(2).unwrap().min(), u.at(2).unwrap().max()), (200.0, 200.0), "{backend}");
        }
    });
}

/// One adds `b` to `a`, the other `a` to `b`, declared in opposite order.
#[test]
fn two_operators_with_functions_in_opposite_order() {
    within_seconds(|| {
        for backend in backends() {
            let g = Grid::new([30, 30]);
            let a = Function::new("a", &g).build().unwrap();
            let b = Function::new("b", &g).build().unwrap();
            let src = SparseFunction::new("src", &g).points(2).build().unwrap();
            let rec = SparseFunction::new("rec", &g).points(2).build().unwrap();
            let first =
                Operator::new([inc(&a, &b * 0.0 + 1.0), src.inject(&a, &src), rec.interpolate(&b)]).unwrap();
            let second = Operator::new([
                inc(&b, &a * 0.0 + 1.0),
                rec.inject(&b, &rec * 0.0),
                src.interpolate(&a * 0.0),
            ])
            .unwrap();
            std::thread::scope(|scope| {
                for op in [&first, &second, &first, &second] {
                    scope.spawn(move || {
                        for _ in 0..50 {
                            op.apply().backend(backend).threads(2).run().unwrap();
                        }
                    });
                }
            });
            assert_eq!((a.data().unwrap().max(), b.data().unwrap().max()), (100.0, 100.0), "{backend}");
        }
    });
}

/// Many runs write their own histories and read a common one, on the same pool.
#[test]
fn compressed_histories_at_the_same_time() {
    within_seconds(|| {
        let common = crate::written(6, 0, 5);
        let shared = &common;
        std::thread::scope(|scope| {
            for i in 0..6 {
                scope.spawn(move || {
                    let backend = backends()[i % backends().len()];
                    let g = shared.grid();
                    for _ in 0..5 {
                        let v = time("v", g);
                        let back = Operator::new([eq(v.backward(), &v + shared)]).unwrap();
                        back.apply().time_min(0).time_max(5).backend(backend).threads(3).run().unwrap();
                        assert_eq!(v.at(1).unwrap().max(), 15.0);
                        let (u, usave) = (time("u", g), compressed("usave", g, 4));
                        counting(&u, &usave).apply().time_max(3).backend(backend).threads(3).run().unwrap();
                        assert_eq!(decompress(&usave).unwrap().max(), 3.0);
                    }
                });
            }
        });
    });
}

/// Two runs want to write one history: one does, the other is refused, and the history is whole.
#[test]
fn two_runs_write_one_history() {
    within_seconds(|| {
        for _ in 0..20 {
            let g = grid();
            let usave = compressed("usave", &g, 4);
            let run = |name: &str| {
                let op = counting(&time(name, &g), &usave);
                op.apply().time_max(3).backend(Backend::Cranelift).run().map_err(|e| e.code())
            };
            let (a, b) = std::thread::scope(|scope| {
                let other = scope.spawn(|| run("v"));
                (run("u"), other.join().unwrap())
            });
            assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
            let code = a.err().or(b.err()).unwrap();
            assert!(["store::second_write", "store::writing"].contains(&code), "{code}");
            assert_eq!(decompress(&usave).unwrap().max(), 3.0);
        }
    });
}

#[test]
fn a_panic_in_the_progress_callback_stops_one_run_only() {
    within_seconds(|| {
        for (backend, threads) in backends().into_iter().flat_map(|b| [(b, 1), (b, 3)]) {
            let u = time("u", &grid());
            let op = Operator::new([eq(u.forward(), &u + 1.0)]).unwrap();
            let apply = || op.apply().time_min(0).time_max(4).backend(backend).threads(threads);
            let stop = |done: u64, _: u64| {
                if done == 3 {
                    std::panic::resume_unwind(Box::new("enough"));
                }
            };
            assert_eq!(apply().progress(&stop).run().unwrap_err().code(), "run::panicked");
            assert_eq!(u.at(3).unwrap().max(), 3.0, "three steps ran");
            u.fill(0.0).unwrap();
            let count = AtomicU64::new(0);
            let progress = |done: u64, all: u64| {
                assert!(done <= all && all == 5);
                count.fetch_add(1, Ordering::Relaxed);
            };
            apply().progress(&progress).run().unwrap();
            assert_eq!((u.at(5).unwrap().max(), count.into_inner()), (5.0, 6), "each step, and the end");
        }
    });
}

#[test]
fn a_flag_cancels_before_the_first_step_or_later() {
    within_seconds(|| {
        for backend in backends() {
            let u = time("u", &grid());
            let op = Operator::new([eq(u.forward(), &u + 1.0)]).unwrap();
            let flag = AtomicBool::new(true);
            let apply = || op.apply().time_min(0).time_max(1000).backend(backend).cancel(&flag);
            assert_eq!(apply().run().unwrap_err().to_string(), "the run was cancelled before step 0");
            assert_eq!(u.data().unwrap().max(), 0.0);
            flag.store(false, Ordering::Relaxed);
            let stop = |done: u64, _: u64| flag.store(done == 10, Ordering::Relaxed);
            assert_eq!(
                apply().progress(&stop).run().unwrap_err().to_string(),
                "the run was cancelled before step 11"
            );
            assert_eq!(u.data().unwrap().max(), 11.0);
        }
    });
}

/// A hook may apply another operator, on functions of its own, with the same pool of threads.
#[test]
fn a_run_inside_of_a_run() {
    within_seconds(|| {
        for backend in backends() {
            let (u, v) = (time("u", &grid()), time("v", &grid()));
            let outer = Operator::new([eq(u.forward(), &u + 1.0)]).unwrap();
            let inner = Operator::new([eq(v.forward(), &v + 1.0)]).unwrap();
            let nest = |done: u64, _: u64| {
                let t = done as usize;
                inner.apply().time_min(t).time_max(t).backend(backend).threads(3).run().unwrap();
            };
            outer.apply().time_min(0).time_max(9).backend(backend).threads(3).progress(&nest).run().unwrap();
            assert_eq!((u.at(10).unwrap().max(), v.at(11).unwrap().max()), (10.0, 11.0), "{backend}");
        }
    });
}

/// Data of the run's own functions cannot be had in its hook: an error says so, where waiting would never end.
#[test]
fn data_asked_for_in_the_progress_callback() {
    within_seconds(|| {
        for (backend, threads) in backends().into_iter().flat_map(|b| [(b, 1), (b, 3)]) {
            let (u, m) = (time("u", &grid()), Function::new("m", &grid()).build().unwrap());
            let rec = SparseTimeFunction::new("rec", &grid()).points(1).steps(9).build().unwrap();
            m.fill(2.0).unwrap();
            let op = Operator::new([eq(u.forward(), &u + &m), rec.interpolate(&u)]).unwrap();
            let looks = AtomicU64::new(0);
            let look = |_: u64, _: u64| {
                assert_eq!(u.data().unwrap_err().code(), "data::in_use");
                assert_eq!(u.fill(0.0).unwrap_err().code(), "data::in_use");
                assert_eq!(rec.data().unwrap_err().code(), "data::in_use");
                assert_eq!(m.fill(0.0).unwrap_err().code(), "data::in_use");
                assert_eq!(m.data().unwrap().max(), 2.0, "what is only read can be read");
                let again = op.apply().time_min(0).time_max(0).backend(backend).run();
                assert_eq!(again.unwrap_err().code(), "data::in_use");
                looks.fetch_add(1, Ordering::Relaxed);
            };
            let apply = op.apply().time_min(0).time_max(3).backend(backend).threads(threads);
            apply.progress(&look).run().unwrap();
            assert_eq!((u.at(4).unwrap().max(), looks.into_inner()), (8.0, 5));
            u.fill(0.0).unwrap();
        }
    });
}

/// A source that runs only read can be shared: one does not wait for the other, and their hooks may look at it.
#[test]
fn shots_side_by_side_share_a_source() {
    within_seconds(|| {
        for (backend, threads) in backends().into_iter().flat_map(|b| [(b, 1), (b, 2)]) {
            let g = grid();
            let src = SparseTimeFunction::new("src", &g).coordinates([[1.0, 1.0]]).steps(4).build().unwrap();
            src.fill(0.5).unwrap();
            let shot = |meet: &(dyn Fn() + Sync)| {
                let u = time("u", &g);
                let op = Operator::new([eq(u.forward(), &u + 1.0), src.inject(u.forward(), &src)]).unwrap();
                let look = |done: u64, _: u64| {
                    assert_eq!(src.data().unwrap().max(), 0.5);
                    assert_eq!(src.fill(1.0).unwrap_err().code(), "data::in_use");
                    if done == 2 {
                        meet();
                    }
                };
                op.apply().time_max(3).backend(backend).threads(threads).progress(&look).run().unwrap();
                assert_eq!(u.at(4).unwrap().max(), 6.0, "{backend}");
            };
            // Neither goes on before both are in the middle of their runs.
            let both = std::sync::Barrier::new(2);
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        shot(&|| {
                            both.wait();
                        })
                    });
                }
            });
        }
    });
}

#[test]
fn data_asked_for_while_they_are_set() {
    within_seconds(|| {
        let (u, v) = (time("u", &grid()), time("v", &grid()));
        v.fill(3.0).unwrap();
        u.set_with(|_| {
            assert_eq!(u.at(0).unwrap_err().code(), "data::in_use");
            v.at(0).unwrap().max()
        })
        .unwrap();
        assert_eq!(u.data().unwrap().min(), 3.0);
    });
}

#[test]
fn a_panic_in_the_last_progress_callback() {
    within_seconds(|| {
        let g = grid();
        let (u, usave) = (time("u", &g), compressed("usave", &g, 4));
        let stop = |done: u64, all: u64| {
            if done == all {
                std::panic::resume_unwind(Box::new("enough"));
            }
        };
        let op = Operator::new([eq(u.forward(), &u + 1.0), eq(&usave, &u)]).unwrap();
        let error = op.apply().time_max(3).backend(Backend::Cranelift).progress(&stop).run().unwrap_err();
        assert_eq!(error.code(), "run::panicked");
        assert_eq!(decompress(&usave).unwrap_err().code(), "store::poisoned");
    });
}
