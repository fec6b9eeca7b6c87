//! Runs on the threads of a pool of the user, as when shots are computed side by side.

use rayon::prelude::*;
use wavefold_operator::{Backend, Operator};
use wavefold_runtime::prelude::*;
use wavefold_symbolic::prelude::*;

/// Every run adds to one image. A worker that took up another shot while it waits for the first would wait for
/// the image that it holds itself.
#[test]
fn shots_side_by_side_add_to_one_image() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
    let grid = Grid::new([300, 600]);
    let image = Function::new("image", &grid).build().unwrap();
    let shot = |_: usize| -> wavefold_operator::Result<()> {
        let u = TimeFunction::new("u", &grid).build()?;
        u.set_with(|_| 0.0)?;
        let op = Operator::new([eq(u.forward(), &u + 1.0), inc(&image, &u)])?;
        op.apply().time_min(0).time_max(3).backend(Backend::Cranelift).threads(3).run()?;
        image.data()?;
        Ok(())
    };
    let (done, finished) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let result: Result<(), _> =
                pool.install(|| (0..24).into_par_iter().with_max_len(1).try_for_each(shot));
            let _ = done.send(result);
        });
        // A thread that hangs could not be joined.
        match finished.recv_timeout(std::time::Duration::from_secs(60)) {
            Ok(result) => result.unwrap(),
            Err(_) => {
                eprintln!("a deadlock");
                std::process::abort();
            }
        }
    });
    assert_eq!((image.data().unwrap().min(), image.data().unwrap().max()), (144.0, 144.0));
}
