//! Ratio, SNR and speed of codecs on a cubic f32 file: `rates FILE ROUNDS CODEC..`; times are medians of interleaved rounds.
use wavefold_codecs::*;

/// Time of this thread, as others may share the core.
struct Instant(f64);

impl Instant {
    fn now() -> Self {
        #[repr(C)]
        struct Time(i64, i64);
        unsafe extern "C" {
            fn clock_gettime(id: i32, t: *mut Time) -> i32;
        }
        const THREAD: i32 = 3;
        let mut t = Time(0, 0);
        // SAFETY: fills two words that are ours.
        unsafe { clock_gettime(THREAD, &mut t) };
        Instant(t.0 as f64 + t.1 as f64 * 1e-9)
    }

    fn elapsed(&self) -> std::time::Duration {
        std::time::Duration::from_secs_f64(Instant::now().0 - self.0)
    }
}

fn median(mut v: Vec<f64>) -> f64 {
    v.sort_by(f64::total_cmp);
    v[v.len() / 2]
}

/// As the runtime's buffers are: on large pages. Never freed.
fn buffer(n: usize) -> &'static mut [f32] {
    unsafe extern "C" {
        fn madvise(start: *mut u8, size: usize, advice: i32) -> i32;
    }
    const HUGE_PAGES: i32 = 14;
    let layout = std::alloc::Layout::from_size_align(n * 4, 1 << 21).unwrap();
    // SAFETY: the memory is ours alone, large enough for `n` numbers, and written before it is read.
    unsafe {
        let p = std::alloc::alloc(layout);
        assert!(!p.is_null(), "no memory for {n} numbers");
        madvise(p, n * 4, HUGE_PAGES);
        std::ptr::write_bytes(p, 0, n * 4);
        std::slice::from_raw_parts_mut(p.cast(), n)
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let data: Vec<f32> = std::fs::read(&args[1])
        .unwrap()
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect();
    let mut huge = buffer(data.len());
    huge.copy_from_slice(&data);
    let data = &*std::mem::take(&mut huge);
    let n = (data.len() as f64).cbrt().round() as usize;
    let shape = [n, n, n];
    let rounds: usize = args[2].parse().unwrap();
    let codecs: Vec<Compression> = args[3..].iter().map(|c| c.parse().unwrap()).collect();
    let gb = data.len() as f64 * 4e-9;
    let mut times = vec![(vec![], vec![]); codecs.len()];
    let mut out = Vec::new();
    let back = buffer(data.len());
    let mut lines = vec![String::new(); codecs.len()];
    let mut copies = vec![];
    for r in 0..rounds {
        let t = Instant::now();
        back.copy_from_slice(data);
        copies.push(t.elapsed().as_secs_f64());
        for (i, c) in codecs.iter().enumerate() {
            out.clear();
            let t = Instant::now();
            let info = encode(*c, View::dense(data, shape).unwrap(), &Serial, &mut out).unwrap();
            times[i].0.push(t.elapsed().as_secs_f64());
            let t = Instant::now();
            decode(&out, ViewMut::dense(back, shape).unwrap(), &Serial).unwrap();
            times[i].1.push(t.elapsed().as_secs_f64());
            if r == 0 {
                let report =
                    compare(View::dense(data, shape).unwrap(), View::dense(back, shape).unwrap()).unwrap();
                lines[i] = format!(
                    "{:16} ratio {:7.3} snr {:6.2} max/step {:6.3}",
                    c.to_string(),
                    info.ratio(),
                    report.snr_db(),
                    report.max_error() / info.step
                );
            }
        }
    }
    println!("memcpy {:.2}", gb / median(copies));
    for (i, (a, b)) in times.into_iter().enumerate() {
        let best = |v: &[f64]| v.iter().copied().fold(f64::MAX, f64::min);
        println!(
            "{} | {:6.2} {:6.2} GB/s (best {:6.2} {:6.2})",
            lines[i],
            gb / median(a.clone()),
            gb / median(b.clone()),
            gb / best(&a),
            gb / best(&b)
        );
    }
}
