//! `Backend::Auto`: code of Cranelift at once, and that of the C compiler as soon as it is there.
//!
//! A run begins with Cranelift's kernel, which takes milliseconds to make. When what is left of the run pays for it, the C
//! compiler starts on a thread of its own, and the run goes on with its kernel at the first step after that is ready. Both
//! compute the same bits, so when this happens changes nothing but time. Where Cranelift's kernel has all its rows in the widest
//! vectors of the machine, it is as fast, and the C compiler is not started.

use crate::backend::Kernel;
use crate::{Backend, Error, Operator, Result};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;
use wavefold_backend_c::{Cache, Compiler};
use wavefold_ir::tree::{Program, Stmt};
use wavefold_ir::{Decls, FieldKind};
use wavefold_runtime::threads;

/// Seconds that a run must still need with Cranelift for the C compiler to be started: some times what that takes (0.1 s for
/// a small kernel, 0.8 s for a large one), since it takes a core from the run meanwhile, and saves a part of the rest only.
const PAYS: f64 = 1.5;

/// The C kernel of an operator, on its way.
#[derive(Default)]
pub(crate) struct Background {
    state: Mutex<State>,
    /// Seconds that the operator has run with Cranelift, in all runs: many short ones pay as well.
    spent: Mutex<f64>,
}

#[derive(Default)]
enum State {
    /// Not begun.
    #[default]
    Idle,
    /// A thread waits for the compiler.
    Compiling(JoinHandle<Result<Kernel>>),
    /// It went to the operator's kernels.
    Done,
    /// Why there is none.
    Failed(String),
}

/// What a run with `Backend::Auto` begins with.
pub(crate) enum Start {
    /// One kernel for all steps.
    Fixed(Backend),
    /// Cranelift, and then C.
    Tiered(Compiler),
}

impl Operator {
    /// What a run on so many threads begins with.
    pub(crate) fn start(&self, threads: usize) -> Start {
        let Some(compiler) = Compiler::find() else { return Start::Fixed(Backend::Cranelift) };
        // The OpenMP runtime ends the process where it cannot start threads, which is looked at when a run begins.
        if threads > 2 * threads::available() || !divisible(self.program()) {
            return Start::Fixed(Backend::C);
        }
        if self.c_kernel(threads).is_some() {
            return Start::Fixed(Backend::C);
        }
        let mut state = self.background().state();
        match &*state {
            State::Idle => {
                let Some(kernel) = wavefold_backend_c::cached(self.program(), &compiler, &Cache::user())
                else {
                    return Start::Tiered(compiler);
                };
                *state = State::Done;
                drop(state);
                self.keep(Backend::C, Arc::new(Kernel::c(kernel)));
                let useful = self.c_kernel(threads).is_some();
                Start::Fixed(if useful { Backend::C } else { Backend::Cranelift })
            }
            State::Compiling(_) => Start::Tiered(compiler),
            State::Done | State::Failed(_) => Start::Fixed(Backend::Cranelift),
        }
    }

    /// The C kernel, if it is there and uses the threads.
    fn c_kernel(&self, threads: usize) -> Option<Arc<Kernel>> {
        self.background().collect(self);
        self.known(Backend::C).filter(|k| k.threaded || threads == 1)
    }
}

impl Background {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why there is no C kernel.
    pub(crate) fn failure(&self) -> Option<String> {
        if let State::Failed(why) = &*self.state() { Some(why.clone()) } else { None }
    }

    /// Counts seconds that a run took with Cranelift.
    pub(crate) fn spend(&self, seconds: f64) {
        *self.spent.lock().unwrap_or_else(PoisonError::into_inner) += seconds;
    }

    fn spent(&self) -> f64 {
        *self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the kernel from the thread if that has ended.
    fn collect(&self, op: &Operator) {
        let mut state = self.state();
        if matches!(&*state, State::Compiling(thread) if thread.is_finished())
            && let State::Compiling(thread) = std::mem::take(&mut *state)
        {
            *state = match thread.join() {
                Ok(Ok(kernel)) => {
                    op.keep(Backend::C, Arc::new(kernel));
                    State::Done
                }
                Ok(Err(e)) => State::Failed(e.to_string()),
                Err(_) => State::Failed("the thread of the C compiler ended".into()),
            };
        }
    }

    /// Starts the compiler, unless it was started before.
    fn begin(&self, op: &Operator, compiler: &Compiler) {
        let mut state = self.state();
        if !matches!(*state, State::Idle) {
            return;
        }
        let (program, compiler) = (op.program().clone(), compiler.clone());
        let compile = move || {
            let kernel = wavefold_backend_c::compile_with(&program, &compiler, &Cache::user());
            kernel.map(Kernel::c).map_err(|e| Error::C(Arc::new(e)))
        };
        let thread = std::thread::Builder::new().name("wavefold-c".into()).spawn(compile);
        *state = match thread {
            Ok(thread) => State::Compiling(thread),
            Err(e) => State::Failed(e.to_string()),
        };
    }
}

impl Drop for Background {
    /// Waits for the compiler: its files go to the cache, and nothing is left behind.
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let State::Compiling(thread) = std::mem::take(state) {
            let _ = thread.join();
        }
    }
}

/// The change from one kernel to the next in a run.
pub(crate) struct Change<'a> {
    op: &'a Operator,
    compiler: Compiler,
    threads: usize,
    /// When the first step had ended, which touches memory and computes what does not change.
    warm: OnceLock<Instant>,
    next: OnceLock<Arc<Kernel>>,
}

impl<'a> Change<'a> {
    pub(crate) fn new(op: &'a Operator, compiler: Compiler, threads: usize) -> Change<'a> {
        Change { op, compiler, threads, warm: OnceLock::new(), next: OnceLock::new() }
    }

    /// The kernel that the run goes on with.
    pub(crate) fn next(&self) -> Option<&Arc<Kernel>> {
        self.next.get()
    }

    /// Asked before a step: whether the other kernel takes over. Starts the compiler when it pays.
    pub(crate) fn due(&self, done: i64, total: i64) -> bool {
        let background = self.op.background();
        if let Some(kernel) = self.op.c_kernel(self.threads) {
            return self.next.set(kernel).is_ok();
        }
        let warm = self.warm.get_or_init(Instant::now);
        if matches!(*background.state(), State::Idle) {
            // Before the second step there is nothing to tell from.
            let step = warm.elapsed().as_secs_f64() / (done - 1).max(1) as f64;
            let left = if done > 1 { step * (total - done) as f64 } else { 0.0 };
            if left + background.spent() > PAYS {
                background.begin(self.op, &self.compiler);
            }
        }
        false
    }
}

/// Whether a run may stop between two steps and go on with another kernel: that does again what happens at the first step
/// only, which must be nothing but fields that the compiler computes from what does not change.
fn divisible(p: &Program) -> bool {
    let mut divisible = p.time().is_some();
    p.visit(&mut |s| {
        if let Stmt::First(body) = s {
            divisible &= body.iter().all(|s| repeatable(s, &p.decls));
        }
    });
    divisible
}

fn repeatable(s: &Stmt, d: &Decls) -> bool {
    match s {
        Stmt::Nest { .. } | Stmt::Loop(_) => s.body().iter().all(|s| repeatable(s, d)),
        Stmt::Let { .. } | Stmt::Prefetch(_) | Stmt::Stream(_) => true,
        Stmt::Assign { target, increment, .. } => {
            !increment && matches!(d.field(target.field).kind, FieldKind::Invariant | FieldKind::Tile)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_first_step_may_do_twice() {
        let program = |first: &str| {
            let text = format!(
                "operator op f32 {{ dim x 9 spacing 1 dim y 8 spacing 1
                 field u buffered 2 halo 0 alloc (9, 48) pad (0, 16)
                 field inv invariant halo 0 alloc (9, 48) pad (0, 0)
                 time ascending {{ slot 0 = t/1+0 % 2 first {{ for x {{ simd y {{ {first} }} }} }} }} }}"
            );
            Program::parse(&text).unwrap()
        };
        assert!(divisible(&program("stream inv prefetch inv[x, y+256] inv[x, y] = 2")));
        assert!(!divisible(&program("inv[x, y] += 2")));
        assert!(!divisible(&program("u[t, x, y] = 2")));
    }
}
