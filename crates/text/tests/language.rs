//! What the language means: formulas, samples, parameters in the halo, repetition, words that are names, pictures, layout.
//! Each program asserts for itself.

use wavefold_operator::Backend;
use wavefold_text::{Options, Report, format, parse};

fn run(source: &str) -> Report {
    let options = Options { backend: Some(Backend::Cranelift), ..Options::default() };
    let program = parse(source).unwrap_or_else(|e| panic!("{e:?}"));
    program.run(&options).unwrap_or_else(|e| panic!("{e:?}"))
}

/// The codes of what is wrong with a program.
fn codes(source: &str) -> Vec<String> {
    let program = match parse(source) {
        Ok(program) => program,
        Err(e) => return e.diagnostics().iter().map(|d| d.code.clone()).collect(),
    };
    let e = program.run(&Options::default()).expect_err("it is wrong");
    assert!(e.diagnostics().iter().all(|d| d.help.is_some() || d.code == "assert::failed"), "{e:?}");
    e.diagnostics().iter().map(|d| d.code.clone()).collect()
}

const GRID: &str = "grid g { shape 5 4 spacing 2 dtype f64 }\n";

#[test]
fn formulas_see_their_parameters_and_what_stood_before_them() {
    run(&format!(
        "{GRID}
        let a = 2
        let line(t, x) = a*t + x            # the names of parameters hide others
        let twice(f) = line(f, f)
        function u on g
        set u = line(x, 1)                   # 2 x + 1, with the `x` of the grid
        assert line(3, 4) == 10
        assert twice(1) == 3
        assert max(u) == 17
        let double(f) = 2*f
        repeat k from 1 to 2 {{
            let shifted(v) = double(v) + k
            assert shifted(1) == 2 + k
        }}"
    ));
    assert_eq!(codes("let f(v) = v + g(v)\nlet g(v) = f(v)\nprint f(1)"), ["call::recursion"]);
    assert_eq!(codes("let f(v) = f(v)\nprint f(1)"), ["call::recursion"]);
    assert_eq!(codes("let f(v, w) = v\nprint f(1)"), ["call::count"]);
    assert_eq!(codes("let f(v) = v\nprint f(v = 1)"), ["call::argument"]);
    assert_eq!(codes("let f(v, v) = v"), ["name::twice"]);
    assert_eq!(codes("let f(v) = v\nprint v"), ["name::unknown"]);
    assert_eq!(codes("let f(v) = v\nlet f = 1"), ["name::twice"]);
    assert_eq!(codes("let sin(v) = v"), ["name::reserved"]);
    assert_eq!(codes("let f() = 1"), ["syntax::unexpected"]);
    let chain: String = (1..100).map(|i| format!("let f{i}(v) = f{}(v)\n", i - 1)).collect();
    assert_eq!(codes(&format!("let f0(v) = v\n{chain}print f99(1)")), ["call::depth"]);
}

#[test]
fn at_is_an_index_of_what_has_one() {
    run(&format!(
        "{GRID}
        time u on g
        series s on g steps 3
        points one on g at 2 2 steps 3
        points two on g at 2 2 at 4 2 steps 3
        operator o {{ u.forward = u + 1   s = sum(u)   one = u   two = u*x }}
        run o time_M = 2
        assert s at 2 == 40
        assert one at 2 == 2
        assert two at 2 at 1 == 8
        assert max(two at 1) == 4
        let list = [3, 1, 4]
        assert list at 2 == 4
        assert (data(u) at 0) at 4 at 3 == 2
        assert argmax(s) == 2
        assert argmax(list) == 2
        assert one == [0, 1, 2]
        assert max(abs(one - [0, 1, 2])) == 0
        assert norm(2*[3, 4]) == 10
        set one = [5, 6, 7]
        assert one at 1 == 6"
    ));
    assert_eq!(codes("let a = [1, 2]\nprint a at 2"), ["value::level"]);
    assert_eq!(codes("let a = 1\nprint a at 0"), ["value::level"]);
    assert_eq!(codes("print argmax(1)"), ["call::kind"]);
}

#[test]
fn an_extended_parameter_goes_on_in_the_halo() {
    let mean = |setting: &str| {
        format!(
            "grid l {{ shape 4 dtype f64 }}
            function m on l {setting}
            function half on l staggered x
            set m = x + 1
            twin n of m
            set n = 7
            operator o {{ half = m }}
            operator p {{ half = n }}
            run o
            assert half == [1.5, 2.5, 3.5, {}]
            run p
            assert max(half) == 7 and min(half) == {}",
            if setting.is_empty() { 2.0 } else { 4.0 },
            if setting.is_empty() { 3.5 } else { 7.0 }
        )
    };
    run(&mean(""));
    run(&mean("extended"));
    assert_eq!(codes(&format!("{GRID}time u on g extended")), ["setting::unknown"]);
    assert_eq!(codes(&format!("{GRID}function u on g extended 1")), ["setting::values"]);
}

#[test]
fn operators_repeat_and_hold_on_several_parts() {
    run(&format!(
        "{GRID}
        function u on g
        function v on g
        part west on g left x 1
        part east on g right x 1
        operator o {{
            repeat k from 1 to 3 {{
                u = u + k
                repeat j from 1 to k {{ v += j }}
            }}
            on west, east {{ u = -1   v = -2 }}
        }}
        run o
        assert max(u) == 6 and max(v) == 10
        assert sum(u) == 3*4*6 - 8 and sum(v) == 3*4*10 - 16"
    ));
    let repeat = |range: &str| {
        codes(&format!("{GRID}function u on g\noperator o {{ repeat k from {range} {{ u = k }} }}"))
    };
    assert_eq!(repeat("0 to 1e9"), ["repeat::range"]);
    assert_eq!(repeat("0 to 1/0"), ["repeat::range"]);
    assert_eq!(
        repeat("1 to 900 { repeat j from 1 to 900 { u = j } } repeat k from 0 to 0"),
        ["repeat::range"]
    );
    assert_eq!(repeat("0 to u"), ["value::number"]);
    assert_eq!(
        codes(&format!("{GRID}function u on g\noperator o {{ on g, u {{ u = 1 }} }}")),
        ["name::kind"]
    );
}

#[test]
fn words_of_settings_are_names_elsewhere() {
    run("
        let steps = 3
        let order = 4
        grid shape { shape (steps + 2) 4 }
        time middle on shape order (order)
        points line on shape at 1 1 steps (steps)
        operator left { middle.forward = middle + 1   line = middle }
        run left time_M = 2
        assert line at 2 == 2
        assert max(layers()) > 0
        function p on shape              # pressure
        set p = 3
        assert max(p) == 3");
    assert_eq!(
        codes("grid g { shape 4 }\nlet steps = 3\npoints q on g at 1 steps steps"),
        ["setting::twice"]
    );
}

#[test]
fn constants_are_numbers_where_numbers_are_needed() {
    run(&format!(
        "{GRID}
        const all = 0
        const n = 2
        function u on g
        time w on g
        operator o {{ w.forward = w + n }}
        repeat k from 1 to 3 {{ set all = all + k }}
        assert all == 6 and all/n == 3
        set u = n*x
        assert max(u) == 16
        run o time_M = n + 1
        assert max(w) == 8
        assert max(w at 3) == 6"
    ));
}

#[test]
fn vectors_and_tensors_are_set_whole() {
    run(&format!(
        "{GRID}
        time vector v on g
        tensor s on g
        set v = 3
        set s = x
        assert min(v.x) == 3 and min(v.y) == 3
        assert max(s.xx) == 8 and max(s.xy) >= 8 and max(s.yy) == 8
        set v at 1 = y
        assert max(v.x at 1) == 6 and max(v.x at 0) == 3"
    ));
    assert_eq!(codes(&format!("{GRID}vector v on g\nset v = [1, 2]")), ["set::value"]);
}

#[test]
fn parameters_of_codecs() {
    // The range of the values is at most 2.
    for (setting, parameter, most) in [
        ("quantize", "", 4e-3),
        ("quantize (2*6)", "", 5e-4),
        ("quantize nbits 12 max_error 1e-4", "nbits = 4", 2e-4),
        ("wavelet 1e-3 max_error 1e-3", "compscale(h) = 1e-1", 2e-3),
        ("lapped compscale 1e-1", "max_error = 1e-2", 2e-2),
        ("lapped snr 30", "max_error(h) = 1e-3", 2e-3),
        ("lapped snr 30 max_error 1e-3", "snr = 20", 2e-3),
    ] {
        let report = run(&format!(
            "{GRID}
            time u on g
            time h on g save 4 compress {setting}
            set u = sin(x/3)
            operator o {{ u.forward = u   h = u }}
            run o time_M = 3 {parameter}
            print max(abs(decompress(h, 2) - (u at 0)))"
        ));
        let error: f64 = report.printed[0].parse().expect("a number");
        assert!(error <= most, "{setting} {parameter}: {error}");
    }
    for wrong in ["quantize 12 nbits", "lapped snr", "lapped 1e-2 max_error 1e-3 4"] {
        assert_eq!(codes(&format!("{GRID}time h on g save 4 compress {wrong}")).len(), 1, "{wrong}");
    }
}

#[test]
fn functions_of_numbers_and_histories() {
    let report = run(&format!(
        "{GRID}
        assert abs(acos(0.5) - pi/3) < 1e-12 and abs(asin([0.5]) at 0 - pi/6) < 1e-12 and abs(atan(1) - pi/4) < 1e-12
        time u on g
        time h on g save 4 compress noop
        operator o {{ u.forward = u + 1   h = u }}
        run o time_M = 3
        assert ratio(h) > 0
        assert max(select(x > 2, u, 0)) == 4
        print 0.1 + 0.2, 1/3, 1e-9/3, 123456789, 2.5e7/3, -1/3, 2/0"
    ));
    assert_eq!(report.printed, ["0.3 0.333333 3.33333e-10 123456789 8.33333e6 -0.333333 inf"]);
    assert_eq!(codes(&format!("{GRID}time u on g\nprint ratio(u)")), ["store::not_compressed"]);
    assert_eq!(codes(&format!("{GRID}function u on g\nprint acos(u)")), ["call::kind"]);
}

#[test]
fn pictures_of_fields_histories_and_samples() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options {
        backend: Some(Backend::Cranelift),
        folder: folder.path().to_path_buf(),
        ..Options::default()
    };
    let source = "
        grid l { shape 9 }
        time u on l
        time h on l save 5
        points two on l at 1 at 2 steps 5
        points one on l at 1 steps 5
        operator o { u.forward = u + x   h = u   two = u   one = u }
        run o time_M = 4
        write h to \"new/folder/history.png\"
        write two to \"new/samples.png\"
        write one to \"one.csv\"
        write u^2 to \"squares.csv\"";
    let report = parse(source).and_then(|p| p.run(&options)).unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!(report.written.len(), 4);
    let text = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("what was written");
    assert_eq!(text("one.csv"), "0\n1\n2\n3\n4\n");
    assert_eq!(text("squares.csv").lines().nth(2), Some("100")); // at the newest level, 5
    let source = format!("{source}\nwrite u to \"line.png\"");
    let wrong = parse(&source).and_then(|p| p.run(&options)).expect_err("a line is no picture");
    assert_eq!(wrong.diagnostics()[0].code, "file::picture");
}

#[test]
fn blocks_on_one_line_stay_there() {
    let laid_out = "grid g { shape 5 4 }
time u on g
operator o { u.forward = u + 1   on west, east { u.forward = 0 } }
repeat k from 1 to 2 {
    print k
}
";
    assert_eq!(format(laid_out).expect("a program"), laid_out);
    let ragged = "grid g {shape 5 4}\ntime u on g\noperator o {u.forward=u+1 on west,east {u.forward=0}}
        repeat k from 1 to 2 {
        print k }";
    assert_eq!(format(ragged).expect("a program"), laid_out);
}
