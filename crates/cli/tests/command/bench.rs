//! `wavefold bench`

use serde_json::{Map, Value, json};

use super::{fails, numbers, object, text, wavefold};

const NUMBERS: [&str; 14] = [
    "seconds",
    "gpts_per_s",
    "lower_seconds",
    "compile_seconds",
    "first_step_seconds",
    "cpu_utilisation",
    "bytes_per_point",
    "flops_per_point",
    "gflops",
    "gb_per_s",
    "stream_gb_per_s",
    "stream_fraction",
    "repeats",
    "threads",
];

fn bench(words: &str) -> Map<String, Value> {
    let result = object(&wavefold(&format!("bench {words} --backend cranelift --repeat 1 --json")));
    numbers(&result, &NUMBERS);
    assert_eq!(result["backend"], "cranelift");
    assert_eq!(result["dtype"], "f32");
    assert_eq!(result["compile_cached"], false);
    for key in ["seconds", "gpts_per_s", "first_step_seconds"] {
        assert!(result[key].as_f64() > Some(0.0), "{key}");
    }
    assert!(result["first_step_seconds"].as_f64() > result["compile_seconds"].as_f64());
    result
}

#[test]
fn plain_cases() {
    for (case, shape) in [("acoustic2d", "50x40"), ("acoustic3d", "24x20x16"), ("heat3d", "12x13x14")] {
        let result = bench(&format!("{case} --shape {shape} --so 4 --steps 5 --threads 2"));
        assert_eq!(result["case"], case);
        assert_eq!(result["so"], 4);
        assert_eq!(result["steps"], 5);
        assert_eq!(result["threads"], 2);
        let points: Vec<usize> = shape.split('x').map(|n| n.parse().unwrap()).collect();
        assert_eq!(result["shape"], json!(points));
        assert!(!result.contains_key("codec"));
    }
}

#[test]
fn the_limit_and_the_schedule() {
    let result = bench("acoustic3d --shape 48x40x32 --so 4 --steps 4 --threads 1");
    let number = |key: &str| result[key].as_f64().unwrap();
    let fraction = number("gb_per_s") / number("stream_gb_per_s");
    assert!((number("stream_fraction") / fraction - 1.0).abs() < 1e-12);
    let schedule = result["schedule"].as_array().unwrap();
    assert_eq!(schedule.len(), 2, "{schedule:?}");
    assert!(schedule[0].as_str().unwrap().contains(" > simd z"), "{schedule:?}");
    // Why depends on the caches of the machine.
    assert!(schedule[1].as_str().unwrap().starts_with("step by step: "), "{schedule:?}");
    let several = bench("heat3d --shape 40x40x40 --steps 4 --steps-at-a-time 3");
    let several = several["schedule"].as_array().unwrap()[0].as_str().unwrap().to_string();
    assert!(several.starts_with("front of 3 steps"), "{several}");
    // Velocity and stress are nests of their own, forward and adjoint operators of their own.
    assert!(bench("elastic2d --shape 20x20 --steps 2")["schedule"].as_array().unwrap()[0].is_string());
    assert!(bench("gradient --shape 30x30 --steps 9")["schedule"].as_array().unwrap().len() >= 2);
}

#[test]
fn all_cases() {
    let words = "bench --all --quick --repeat 1 --threads 2 --backend cranelift";
    let lines = text(&wavefold(&format!("{words} --json")).stdout);
    let cases: Vec<Map<String, Value>> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let names: Vec<&str> = cases.iter().map(|c| c["case"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 10);
    assert_eq!((names[0], names[9]), ("acoustic2d", "gradient"));
    for case in &cases {
        numbers(case, &NUMBERS);
    }
    let table = text(&wavefold(words).stdout);
    assert_eq!(table.lines().count(), 11);
    for (line, name) in table.lines().skip(1).zip(names) {
        assert!(line.starts_with(name) && line.contains(" % "), "{line}");
    }
}

#[test]
fn smallest_grids() {
    for words in [
        "acoustic2d --shape 1x1",
        "acoustic3d --shape 1x2x3",
        "history --shape 1x1x1",
        "gradient --shape 1x2",
    ] {
        bench(&format!("{words} --steps 2"));
    }
}

#[test]
fn history() {
    let result = bench("history --shape 24x20x16 --steps 10 --save-every 3 --codec quantize:12");
    numbers(&result, &["overhead", "peak_rss_bytes", "ratio"]);
    assert_eq!(result["codec"], "quantize:12");
    assert_eq!(result["save_every"], 3);
    assert_eq!(result["raw_bytes"], 3 * 24 * 20 * 16 * 4);
    assert_eq!(result["gradient_error"], Value::Null);

    let raw = bench("history --shape 12x10x8 --steps 4 --codec none");
    assert_eq!((&raw["codec"], &raw["ratio"]), (&json!("none"), &json!(1.0)));
    assert_eq!(raw["raw_bytes"], raw["bytes"]);
}

#[test]
fn gradient() {
    for shape in ["40x36", "24x20x22"] {
        let error = |codec: &str| {
            let result =
                bench(&format!("gradient --shape {shape} --so 4 --steps 80 --save-every 2 --codec {codec}"));
            numbers(
                &result,
                &["overhead", "peak_rss_bytes", "raw_bytes", "bytes", "ratio", "gradient_error"],
            );
            result["gradient_error"].as_f64().unwrap()
        };
        assert_eq!(error("none"), 0.0);
        assert_eq!(error("noop"), 0.0);
        let (coarse, fine) = (error("quantize:6"), error("quantize:14"));
        assert!(0.0 < fine && fine < 0.1 * coarse && coarse < 1.0, "{fine} {coarse}");
        assert!(error("wavelet:1e-3") < 1e-2);
    }
}

#[test]
fn c_where_there_is_a_compiler() {
    let result = object(&wavefold("bench heat3d --shape 12x12x12 --steps 3 --repeat 1 --json"));
    assert!(result["backend"] == "c" || result["backend"] == "cranelift");
}

#[test]
fn tables_for_people() {
    let output =
        wavefold("bench history --shape 16x16x16 --steps 3 --repeat 1 --backend cranelift --codec noop");
    let table = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "no progress unless standard error is a terminal");
    for word in ["GPts/s", "cranelift", "overhead", "noop, every step", "(ratio "] {
        assert!(table.contains(word), "{word} in\n{table}");
    }
    let starts: Vec<usize> = table.lines().map(|l| l.find("  ").unwrap_or(0)).collect();
    assert!(starts.iter().all(|s| *s > 0), "{table}");
}

#[test]
fn bad_settings() {
    let bad = |words: &str, code: &str, message: &str| {
        fails(&wavefold(&format!("bench {words} --json")), code, message)
    };
    bad("acoustic3d --shape 0x8x8", "cli::usage", "at least one point");
    bad("acoustic3d --shape 8x8x8x", "cli::usage", "no number of points");
    bad("acoustic3d --shape 8x8", "cli::rank", "8x8 has 2");
    bad("acoustic2d --shape 8x8x8", "cli::rank", "`acoustic2d` needs a shape with 2 axes");
    bad("gradient --shape 8", "cli::rank", "2 or 3 axes");
    bad("heat3d --steps-at-a-time 0", "cli::zero", "--steps-at-a-time");
    bad("codecs --steps-at-a-time 2", "cli::unused_option", "--steps-at-a-time");
    bad("heat3d --threads 0", "threads::count", "0 threads");
    bad("heat3d --threads 100000", "threads::count", "100000 threads");
    bad("heat3d --steps 0", "cli::zero", "`--steps 0`");
    bad("heat3d --repeat 0", "cli::zero", "`--repeat 0`");
    bad("history --save-every 0", "cli::zero", "`--save-every 0`");
    bad("history --save-every 9 --steps 8", "cli::nothing_saved", "saves nothing");
    for so in [0, 1, 7, 66] {
        bad(&format!("heat3d --so {so}"), "cli::order", &format!("`--so {so}`"));
    }
    bad("heat3d --codec noop", "cli::unused_option", "no use for `--codec`");
    bad("acoustic2d --save-every 2", "cli::unused_option", "no use for `--save-every`");
    bad("", "cli::usage", "<CASE>");
    bad("--all heat3d", "cli::usage", "--all");
    bad("--all --shape 8x8", "cli::usage", "--shape");
    bad("history --codec zip", "compress::unknown_codec", "`zip`");
    bad("history --codec wavelet --nbits 9", "compress::no_nbits", "`wavelet`");
    bad("history --compscale 1e-3", "compress::no_compscale", "`quantize`");
    bad("history --nbits 99", "compress::nbits_range", "nbits = 99");
    bad("history --codec none --nbits 9", "cli::codec_parameter", "`nbits`");
}

/// Neither backend ends the process: not that of OpenMP either, which would.
#[test]
#[cfg(target_os = "linux")]
fn threads_that_cannot_be_started() {
    for backend in ["cranelift", "auto"] {
        // 1000 threads have stacks of 2 GB or more.
        let command = format!(
            "ulimit -v 1500000; exec {} bench heat3d --shape 12x12x12 --steps 2 --threads 1000 --backend {backend}",
            env!("CARGO_BIN_EXE_wavefold")
        );
        // A thread that started may find no memory for itself, and Rust's library then ends the process by a signal: whether
        // it comes to that is up to the system.
        let run = |_| std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
        let ended = (0..5).map(run).find(|output| output.status.code().is_some());
        fails(&ended.expect("a run that ends by itself"), "threads::start", "1000 threads cannot be started");
    }
}

#[test]
fn what_does_not_fit_is_refused_before_it_is_touched() {
    let huge = wavefold("bench acoustic3d --shape 100000x100000x10000");
    if cfg!(target_os = "linux") {
        fails(&huge, "cli::memory", "GB of memory");
        fails(
            &wavefold("bench acoustic2d --shape 9x9 --steps 4000000000"),
            "cli::memory",
            "`acoustic2d` needs",
        );
        let history = wavefold("bench history --shape 64x64x64 --steps 100000000 --codec none");
        fails(&history, "cli::memory", "`history` needs");
    }
    let overflow = wavefold("bench acoustic3d --shape 10000000000x10000000000x10000000000");
    let line = super::diagnostic(&overflow);
    assert!(line.starts_with("grid::too_large ×"), "{line}");
}

/// Every codec stands in the table, with what it was asked for; zfp where its library is.
#[test]
fn codecs_keep_what_they_were_asked_for() {
    let output = wavefold("bench codecs --shape 24x24x24 --repeat 1 --backend cranelift --json");
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    let rows = report["rows"].as_array().expect("rows");
    let of =
        |name: &str| rows.iter().filter(|r| r["codec"].as_str().is_some_and(|c| c.starts_with(name))).count();
    let fields = of("noop");
    assert_eq!(fields, 7);
    assert_eq!((of("quantize"), of("wavelet"), of("lapped")), (4 * fields, 4 * fields, 7 * fields));
    assert!(of("zfp") == 0 || of("zfp") == 4 * fields, "{} rows of zfp", of("zfp"));
    for row in rows {
        let number = |key: &str| row[key].as_f64().unwrap_or(f64::INFINITY);
        assert!(number("ratio") > 0.9 && number("compress_gb_per_s") > 0.0, "{row}");
        // The range is at most twice the largest value.
        match row["target_db"].as_f64() {
            Some(target) => assert!(number("snr_db") >= target, "{row}"),
            None => assert!(number("max_error_rel") <= 2e-3, "{row}"),
        }
    }
}
