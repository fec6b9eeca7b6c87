//! Speed of 3-D kernels in f32, acoustic of order 8 and elastic (velocities) of order 4: points per second at 1 and
//! 2 threads, and the time to compile them. `cargo bench -p wavefold-backend-cranelift [-- SIZE STEPS REPEATS]`

use std::ffi::c_void;
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Instant;
use wavefold_backend_cranelift::{Kernel, compile};
use wavefold_ir::abi::{BodyFn, Context, ParallelFn};
use wavefold_ir::tree::Program;

/// Taylor weights of the second derivative at order 8.
const WEIGHTS: [f64; 5] = [-205.0 / 72.0, 8.0 / 5.0, -1.0 / 5.0, 8.0 / 315.0, -1.0 / 560.0];

/// `u.forward = 2u - u.backward + m*laplace(u)`, damped, with the taps of one distance summed before they are
/// weighted. `slots` is 3, or 2 to update in place.
fn acoustic(n: usize, slots: usize) -> String {
    let layout = layout(n);
    let mut value = format!("{}*u[t, x, y, z]", 3.0 * WEIGHTS[0]);
    for (k, w) in WEIGHTS.iter().enumerate().skip(1) {
        let taps = [
            format!("u[t, x, y, z-{k}] + u[t, x, y, z+{k}]"),
            format!("u[t, x, y-{k}, z] + u[t, x, y+{k}, z]"),
            format!("u[t, x-{k}, y, z] + u[t, x+{k}, y, z]"),
        ];
        value = format!("fma({} + ({}) + ({}), {w}, {value})", taps[0], taps[1], taps[2]);
    }
    let mut text = String::from("operator acoustic f32 {\n");
    for d in ["x", "y", "z"] {
        let _ = writeln!(text, "  dim {d} {n} spacing 10");
    }
    let _ = write!(
        text,
        "  field u buffered {slots} halo 4 {layout}
  field m space halo 0 {layout}
  field damp space halo 0 {layout}
  time ascending {{
    slot 0 = t/1+1 % {slots}
    slot 1 = t/1+0 % {slots}
    slot 2 = t/1-1 % {slots}
    # m*u.dt2 = laplace(u)
    parallel tiles y by 32 {{
      for x {{
        for y in tile {{
          simd z {{
            r0 = {value}
            u[t+1, x, y, z] = fma(r0, m[x, y, z], fma(u[t, x, y, z] - u[t-1, x, y, z], damp[x, y, z], u[t, x, y, z]))
          }}
        }}
      }}
    }}
  }}
}}"
    );
    text
}

/// Layout of a field of `n`^3 points with four points of halo; rows are not a multiple of 256 bytes.
fn layout(n: usize) -> String {
    let row = (n + 32).next_multiple_of(16);
    let row = if (row * 4).is_multiple_of(256) { row + 16 } else { row };
    format!("alloc ({}, {}, {row}) pad (4, 4, 16)", n + 8, n + 8)
}

/// The three velocities of the staggered elastic equations from the six stresses: a nest with many fields.
fn elastic(n: usize) -> String {
    let mut text = String::from("operator elastic f32 {\n");
    for d in ["x", "y", "z"] {
        let _ = writeln!(text, "  dim {d} {n} spacing 10");
    }
    for f in ["vx", "vy", "vz", "txx", "tyy", "tzz", "txy", "txz", "tyz"] {
        let _ = writeln!(text, "  field {f} buffered 2 halo 4 {}", layout(n));
    }
    let _ = writeln!(text, "  field b space halo 0 {}", layout(n));
    text += "  time ascending {
    slot 0 = t/1+1 % 2
    slot 1 = t/1+0 % 2
    parallel tiles y by 32 { for x { for y in tile { simd z {\n";
    for (v, stresses) in
        [("x", ["txx", "txy", "txz"]), ("y", ["txy", "tyy", "tyz"]), ("z", ["txz", "tyz", "tzz"])]
    {
        let at = |stress: &str, d: usize, k: i32| {
            let index =
                |e: usize, name: &str| if e == d && k != 0 { format!("{name}{k:+}") } else { name.into() };
            format!("{stress}[t, {}, {}, {}]", index(0, "x"), index(1, "y"), index(2, "z"))
        };
        let near = (0..3).map(|d| format!("({} - {})", at(stresses[d], d, 1), at(stresses[d], d, 0)));
        let far = (0..3).map(|d| format!("({} - {})", at(stresses[d], d, 2), at(stresses[d], d, -1)));
        let (near, far): (Vec<String>, Vec<String>) = (near.collect(), far.collect());
        let _ = writeln!(
            text,
            "v{v}[t+1, x, y, z] = fma(fma({}, 1.125, {}*-0.0416), b[x, y, z], v{v}[t, x, y, z])",
            near.join(" + "),
            format_args!("({})", far.join(" + ")),
        );
    }
    text + "    } } } }\n  }\n}"
}

/// Zeroed memory on large pages.
struct Pages {
    start: *mut f32,
    bytes: usize,
}

impl Pages {
    fn new(elements: usize, value: f32) -> Pages {
        let bytes = (elements * 4).next_multiple_of(1 << 21);
        let layout = std::alloc::Layout::from_size_align(bytes, 1 << 21).expect("a size that fits");
        // SAFETY: the size is not zero; the pages are written before anything reads them.
        unsafe {
            let start: *mut f32 = std::alloc::alloc(layout).cast();
            assert!(!start.is_null());
            libc::madvise(start.cast(), bytes, libc::MADV_HUGEPAGE);
            std::slice::from_raw_parts_mut(start, elements).fill(value);
            Pages { start, bytes }
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout.
        unsafe {
            let layout = std::alloc::Layout::from_size_align_unchecked(self.bytes, 1 << 21);
            std::alloc::dealloc(self.start.cast(), layout);
        }
    }
}

static BODY: AtomicUsize = AtomicUsize::new(0);
static ARGUMENT: AtomicUsize = AtomicUsize::new(0);
static COUNT: AtomicI64 = AtomicI64::new(0);
static NEXT: AtomicI64 = AtomicI64::new(0);
static ROUND: AtomicUsize = AtomicUsize::new(0);
static BUSY: AtomicUsize = AtomicUsize::new(0);
const STOP: usize = usize::MAX;

fn take(body: BodyFn, argument: *mut c_void) {
    loop {
        let index = NEXT.fetch_add(1, Ordering::AcqRel);
        if index >= COUNT.load(Ordering::Acquire) {
            return;
        }
        // SAFETY: the body and its argument belong together, and each index is taken once.
        unsafe { body(argument, index) };
    }
}

unsafe extern "C" fn one(_: *const Context, count: i64, body: BodyFn, argument: *mut c_void) {
    for i in 0..count {
        // SAFETY: the kernel passes a body with its argument.
        unsafe { body(argument, i) };
    }
}

unsafe extern "C" fn two(_: *const Context, count: i64, body: BodyFn, argument: *mut c_void) {
    BODY.store(body as usize, Ordering::Release);
    ARGUMENT.store(argument as usize, Ordering::Release);
    COUNT.store(count, Ordering::Release);
    NEXT.store(0, Ordering::Release);
    BUSY.store(1, Ordering::Release);
    ROUND.fetch_add(1, Ordering::AcqRel);
    take(body, argument);
    while BUSY.load(Ordering::Acquire) != 0 {
        std::hint::spin_loop();
    }
}

fn worker() {
    let mut round = 0;
    loop {
        let now = ROUND.load(Ordering::Acquire);
        if now == STOP {
            return;
        }
        if now == round {
            std::hint::spin_loop();
            continue;
        }
        round = now;
        // SAFETY: stored by `two` from a function of this type before the round began.
        let body = unsafe { std::mem::transmute::<usize, BodyFn>(BODY.load(Ordering::Acquire)) };
        take(body, ARGUMENT.load(Ordering::Acquire) as *mut c_void);
        BUSY.store(0, Ordering::Release);
    }
}

unsafe extern "C" fn step(_: *const Context, _: i64, _: i64, _: ParallelFn) -> i32 {
    0
}
unsafe extern "C" fn wait(_: *const Context, _: i64, _: ParallelFn) -> i32 {
    0
}
unsafe extern "C" fn take_nothing(_: *mut c_void) -> *mut c_void {
    std::ptr::null_mut()
}
unsafe extern "C" fn give_nothing(_: *mut c_void, _: *mut c_void) {}
unsafe extern "C" fn effect(_: *const Context, _: i64, _: i64, _: i64, _: i64, _: i64, _: ParallelFn) -> i64 {
    0
}

unsafe extern "C" fn part(_: *mut c_void, _: i64, _: i64, _: i64, _: i64, _: i64, _: *mut c_void) {}

fn seconds(kernel: &Kernel, fields: &[*mut c_void], steps: i64, parallel: ParallelFn) -> f64 {
    let context = Context {
        fields: fields.as_ptr(),
        rows: std::ptr::null(),
        scalars: std::ptr::null(),
        sparse: std::ptr::null(),
        tables: std::ptr::null(),
        time_m: 1,
        time_max: steps,
        in_place: 0,
        threads: 2,
        host: std::ptr::null_mut(),
        parallel,
        step,
        compress: effect,
        decompress: effect,
        part,
        take_tile: take_nothing,
        give_tile: give_nothing,
        wait,
    };
    let start = Instant::now();
    // SAFETY: the context has the fields of the program, with its layouts.
    let status = unsafe { (kernel.entry())(&context) };
    assert_eq!(status, 0);
    start.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    // Without cargo's `--bench` this is a test run.
    let defaults = if std::env::args().any(|a| a == "--bench") { [256, 6, 5] } else { [24, 1, 1] };
    let mut numbers = std::env::args().filter_map(|a| a.parse::<usize>().ok());
    let [n, steps, repeats] = defaults.map(|d| numbers.next().unwrap_or(d));
    let steps = steps as i64;
    std::thread::spawn(worker);
    let cases = [
        ("acoustic3d so=8, 3 slots", acoustic(n, 3)),
        ("acoustic3d so=8, 2 slots", acoustic(n, 2)),
        ("elastic3d velocities so=4", elastic(n)),
    ];
    for (name, text) in cases {
        let program = Program::parse(&text).expect("a program");
        let compiled: Vec<f64> =
            (0..20).map(|_| compile(&program).expect("compiles").compile_seconds()).collect();
        let kernel = compile(&program).expect("compiles");
        let mut pages = Vec::new();
        for (i, f) in program.decls.fields.iter().enumerate() {
            let elements = f.slots() * f.layout.as_ref().map_or(0, |l| l.slot_len()) + 1024;
            pages.push(Pages::new(elements, [1e-3, 0.01, 0.99][i % 3]));
        }
        // Fields start at different places of a page.
        let fields: Vec<*mut c_void> =
            pages.iter().enumerate().map(|(i, p)| p.start.wrapping_add(i * 272).cast()).collect();
        let (mut one_thread, mut two_threads) = (Vec::new(), Vec::new());
        for _ in 0..repeats {
            one_thread.push(seconds(&kernel, &fields, steps, one));
            two_threads.push(seconds(&kernel, &fields, steps, two));
        }
        let points = (n * n * n) as f64 * steps as f64 / 1e9;
        println!(
            "{name} f32 {n}^3: compile {:.2} ms, {:.3} GPts/s on 1 thread, {:.3} on 2",
            median(compiled) * 1e3,
            points / median(one_thread),
            points / median(two_threads),
        );
    }
    ROUND.store(STOP, Ordering::Release);
}
