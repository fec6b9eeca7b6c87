//! How fast the memory of this machine is: the limit of every loop that touches each value once.

use std::hint::black_box;
use std::sync::{Barrier, Mutex};
use std::time::{Duration, Instant};

use wavefold::runtime::{Buffer, Result as RuntimeResult};

/// Time of one measurement, of which the fastest counts.
const ROUND: Duration = Duration::from_millis(40);
/// Measurements.
const ROUNDS: usize = 7;
/// Arrays of each thread: one that is updated, and two that it is updated from.
const ARRAYS: usize = 3;
/// Bytes that an update moves: three values read, one written, over memory that was read already.
const BYTES: usize = (ARRAYS + 1) * size_of::<f32>();

/// 10^9 bytes a second of `a[i] += s * (b[i] + c[i])` on `threads` threads, each with arrays of its own, which take
/// `bytes` together. Counted as the compiler counts: each value read or written moves once.
///
/// # Errors
/// Memory, or threads, that cannot be had.
pub fn gb_per_s(bytes: usize, threads: usize) -> RuntimeResult<f64> {
    let pool = wavefold::runtime::threads::pool(threads)?;
    let values = (bytes / size_of::<f32>() / ARRAYS / threads).max(1);
    let memory: Vec<_> = (0..threads).map(|_| arrays(values)).collect::<RuntimeResult<_>>()?;
    // Every round begins and ends at the barrier, for all threads.
    let barrier = Barrier::new(threads);
    let work = Mutex::new(memory);
    let seconds: Vec<f64> = pool.broadcast(|_| {
        let arrays = work.lock().ok().and_then(|mut all| all.pop());
        arrays.map_or(f64::INFINITY, |arrays| fastest(arrays, &barrier))
    });
    let slowest = seconds.into_iter().fold(0.0, f64::max);
    Ok((values * threads * BYTES) as f64 / slowest.max(1e-12) / 1e9)
}

type Arrays = [Buffer; ARRAYS];

fn arrays(values: usize) -> RuntimeResult<Arrays> {
    let one = || Buffer::zeroed(values * size_of::<f32>(), "measuring the memory");
    Ok([one()?, one()?, one()?])
}

/// Seconds of one sweep over the arrays of this thread, in the fastest round. All threads do the same rounds.
fn fastest([mut a, mut b, mut c]: Arrays, barrier: &Barrier) -> f64 {
    // The thread that uses the memory touches it first.
    for array in [&mut a, &mut b, &mut c] {
        array.values_mut::<f32>().fill(1e-3);
    }
    // Sweeps in a round: from a sweep alone, which is the warm-up too.
    let start = Instant::now();
    sweep(&mut a, &b, &c);
    let sweeps = (ROUND.as_secs_f64() / start.elapsed().as_secs_f64().max(1e-9)).ceil().clamp(1.0, 1e6);
    let mut fastest = f64::INFINITY;
    for _ in 0..ROUNDS {
        barrier.wait();
        let start = Instant::now();
        for _ in 0..sweeps as usize {
            sweep(&mut a, &b, &c);
        }
        fastest = fastest.min(start.elapsed().as_secs_f64() / sweeps);
    }
    fastest
}

fn sweep(a: &mut Buffer, b: &Buffer, c: &Buffer) {
    let (b, c) = (black_box(b).values::<f32>(), black_box(c).values::<f32>());
    for ((a, b), c) in a.values_mut::<f32>().iter_mut().zip(b).zip(c) {
        *a += 1e-6 * (b + c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_has_a_speed() {
        for (bytes, threads) in [(0, 1), (3 << 20, 2)] {
            let speed = gb_per_s(bytes, threads).unwrap();
            assert!(speed.is_finite() && 0.0 < speed && speed < 1e5, "{speed} at {bytes} bytes");
        }
        assert_eq!(gb_per_s(1 << 20, 0).unwrap_err().code(), "threads::count");
    }
}
