//! Compilers that are missing, caches that are full, damaged or closed.

#[path = "../../../tests/support/harness.rs"]
mod harness;

use harness::{Host, program};
use std::path::PathBuf;
use wavefold_backend_c::{Cache, CacheStatus, CompileError, Compiler, Kernel, compile_with};
use wavefold_ir::tree::Program;

fn example() -> Program {
    program(
        "operator op f64 {
  dim x 40 spacing 1
  field u space halo 0 alloc (40) pad (0)
  # u = 2 u + 1
  parallel tiles x by 7 {
    simd x in tile {
      u[x] = fma(u[x], 2, 1)
    }
  }
}",
    )
}

fn run(kernel: &Kernel, program: &Program) {
    // SAFETY: the harness makes the context for this program.
    harness::assert_same(program, (0, 0), &[1, 2], |context| unsafe { kernel.entry()(context) });
}

fn compiler() -> Compiler {
    Compiler::find().expect("the tests of this crate need a C compiler")
}

fn objects(directory: &std::path::Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|e| e.unwrap().path());
    entries.filter(|p| p.extension().is_some_and(|e| e == extension)).collect()
}

#[test]
fn missing_compiler() {
    let error = Compiler::first_of(&["wavefold-no-such-cc", "/no/such/gcc -m64"]).unwrap_err();
    assert_eq!(error.code(), "backend_c::no_compiler");
    assert_eq!(error.to_string(), "no C compiler was found (tried wavefold-no-such-cc, /no/such/gcc -m64)");
    assert!(error.help().unwrap().contains("Cranelift"));
    assert!(Compiler::named("").is_none());
}

#[test]
fn the_compiler_names_itself() {
    let compiler = compiler();
    assert!(!compiler.version().is_empty());
    assert!(!compiler.command().is_empty());
}

#[test]
fn second_compilation_comes_from_the_cache() {
    let directory = tempfile::tempdir().unwrap();
    let cache = Cache::at(directory.path().join("new"));
    let program = example();
    let first = compile_with(&program, &compiler(), &cache).unwrap();
    assert_eq!(first.cache_status(), CacheStatus::Built);
    run(&first, &program);
    let second = compile_with(&program, &compiler(), &cache).unwrap();
    assert!(second.cached() && second.uses_openmp() == first.uses_openmp());
    run(&second, &program);
    assert_eq!(std::fs::read_dir(directory.path().join("new")).unwrap().count(), 2);
}

#[test]
fn damaged_objects_are_built_again() {
    for damage in ["empty", "truncated", "flipped", "text", "no sum"] {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::at(directory.path());
        let program = example();
        compile_with(&program, &compiler(), &cache).unwrap();
        let object = objects(directory.path(), "so").remove(0);
        let mut bytes = std::fs::read(&object).unwrap();
        match damage {
            "empty" => bytes.clear(),
            "truncated" => bytes.truncate(bytes.len() / 2),
            "flipped" => bytes[700] ^= 16,
            "text" => bytes = b"not an object".to_vec(),
            _ => std::fs::remove_file(object.with_extension("sum")).unwrap(),
        }
        // A new file: the old one is in use by this process.
        std::fs::remove_file(&object).unwrap();
        std::fs::write(&object, bytes).unwrap();
        let again = compile_with(&program, &compiler(), &cache).unwrap();
        assert_eq!(again.cache_status(), CacheStatus::Built, "{damage}");
        run(&again, &program);
        assert!(compile_with(&program, &compiler(), &cache).unwrap().cached(), "{damage}");
    }
}

#[test]
fn a_cache_that_cannot_be_written_is_no_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let program = example();
    for _ in 0..2 {
        let kernel = compile_with(&program, &compiler(), &Cache::at(file.path().join("below"))).unwrap();
        assert_eq!(kernel.cache_status(), CacheStatus::Uncached);
        run(&kernel, &program);
    }
}

#[test]
fn threads_may_compile_the_same_program() {
    let directory = tempfile::tempdir().unwrap();
    let cache = Cache::at(directory.path());
    let program = example();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let kernel = compile_with(&program, &compiler(), &cache).unwrap();
                run(&kernel, &program);
            });
        }
    });
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
}

#[cfg(unix)]
fn script(directory: &std::path::Path, body: &str) -> Compiler {
    use std::os::unix::fs::PermissionsExt;
    let path = directory.join("fake-cc");
    std::fs::write(&path, format!("#!/bin/sh\n[ \"$1\" = --version ] && echo fake 1.0 && exit 0\n{body}\n"))
        .unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    Compiler::named(path.to_str().unwrap()).unwrap()
}

#[cfg(unix)]
#[test]
fn a_compiler_that_fails_is_quoted_and_the_source_kept() {
    let directory = tempfile::tempdir().unwrap();
    let fake = script(directory.path(), "echo 'kernel.c:1: no luck today' >&2; exit 1");
    let error = compile_with(&example(), &fake, &Cache::at(directory.path())).unwrap_err();
    assert_eq!(error.code(), "backend_c::failed");
    let CompileError::Failed { message, source_file, .. } = error else { panic!("another error") };
    assert_eq!(message, "kernel.c:1: no luck today");
    assert!(std::fs::read_to_string(source_file).unwrap().contains("// u = 2 u + 1"));
}

#[cfg(unix)]
#[test]
fn without_openmp_kernels_run_on_one_thread() {
    let directory = tempfile::tempdir().unwrap();
    let real = compiler().command();
    let body = format!("for a in \"$@\"; do [ \"$a\" = -fopenmp ] && exit 1; done\nexec {real} \"$@\"");
    let fake = script(directory.path(), &body);
    let program = example();
    let kernel = compile_with(&program, &fake, &Cache::at(directory.path())).unwrap();
    assert!(!kernel.uses_openmp());
    run(&kernel, &program);
    assert!(compile_with(&program, &fake, &Cache::at(directory.path())).unwrap().cached());
    let mut host = Host::new(&program, 1);
    // SAFETY: the harness makes the context for this program.
    assert_eq!(host.run((0, 0), 5, |context| unsafe { kernel.entry()(context) }), 0);
}

#[test]
fn kernels_may_go_to_other_threads() {
    fn goes<T: Send + Sync>() {}
    goes::<Kernel>();
    goes::<Compiler>();
    goes::<Cache>();
}
