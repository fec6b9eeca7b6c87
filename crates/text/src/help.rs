//! Errors of the library help in the words of Rust; here they help in those of the language.

/// How to mend an error with this code and message, as a program in text does it.
pub(crate) fn of(code: &str, message: &str, help: Option<String>) -> Option<String> {
    let name = message.split('`').nth(1).unwrap_or("u");
    // A function is named without its arguments.
    let name = name.split('(').next().unwrap_or(name);
    let text = match code {
        "grid::rank" => "give 1 to 3 numbers of points: `shape 201 101`".into(),
        "grid::too_large" | "memory::too_large" => "use fewer points".into(),
        "grid::spacing" => "spacings are finite and greater than 0".into(),
        "grid::origin" => "give finite coordinates".into(),
        "name::invalid" => "begin it with a letter; letters, digits and `_` may follow".into(),
        "function::time_order" => "write `time_order 2` for equations with `dt2`, else `time_order 1`".into(),
        "function::save" => "give the number of snapshots: `save nt`; leave it out to keep only the newest levels".into(),
        "function::save_every" => "`every 1` keeps every step".into(),
        "function::save_every_without_save" | "function::compression_without_save" => {
            "add the number of snapshots: `save nt`".into()
        }
        "sparse::not_finite" => "give finite coordinates".into(),
        "sparse::steps" => "give the number of samples: `steps nt`".into(),
        "derivative::place" => "write `x0 = 0.5`, `x0 = -0.5` or `x0 = 0`".into(),
        "derivative::own_order" => "write `order = 2`, `order = 4`, ..".into(),
        "derivative::weights" => "give finite weights: `weights = [-0.5, 0, 0.5], first = -1`".into(),
        "derivative::order" => "give it an `order` of 2 or more where it is declared".into(),
        "derivative::time" => "declare it with `time` in the place of `function`".into(),
        "derivative::dimension" | "expression::dimension" | "expression::spacing" => {
            "the dimensions of a grid are x, then y, then z".into()
        }
        "equation::region" => "use `when` with a condition".into(),
        "equation::grid" | "operator::grids" => "declare all functions of an operator on one grid".into(),
        "equation::lhs" => "the left side is a function at the point itself: `u`, `u.forward` or `m`".into(),
        "equation::time_shift" | "time::buffers" => {
            format!("declare `{name}` with a higher `time_order`, or keep its history with `save nt`")
        }
        "equation::sparse" => "bring it onto the grid with `inject .. into u.forward`".into(),
        "equation::outside" => format!(
            "put the equation into `on part {{ .. }}`, or declare `{name}` on the whole grid"
        ),
        "reduce::condition" => "reduce `select(u > 0, u, 0)` instead".into(),
        "temporary::undefined" => format!("write `{name} = ..` before it is used"),
        "temporary::target" => format!("declare `{name}` without `temporary`"),
        "solve::target" => "solve for a function at one time level, such as `u.forward`".into(),
        "operator::empty" => "write an equation into it: `u.forward = u + 1`".into(),
        "compress::unknown_codec" => {
            "there are `noop`, `quantize` (or `bitcomp`), `wavelet` (or `cvxcompress`) and `lapped`, as in `compress quantize \
             12`, `compress wavelet 1e-4`, `compress lapped snr 60`"
                .into()
        }
        "compress::bad_parameter" => {
            "as in `compress quantize 12`, `compress wavelet 1e-4`, `compress lapped snr 60`; `noop` has no parameter".into()
        }
        "compress::partial" => {
            "a snapshot is compressed whole: write `select(condition, value, 0)` everywhere, or declare the function `on` \
             the part"
                .into()
        }
        "compress::written_twice" => {
            format!(
                "a snapshot is compressed once: join the right sides, or save into a twin: `twin {name}1 of {name}`"
            )
        }
        "expression::too_deep" | "expression::too_large" => {
            "write the value to a function first, and use that".into()
        }
        "time::no_bounds" => "say how far to run: `time_M = nt - 1`".into(),
        "time::empty_range" => "save more snapshots, or give `time_m` and `time_M`".into(),
        "time::out_of_range" => {
            let function = message.split('`').nth(1).unwrap_or("u");
            format!("narrow the range with `time_m` or `time_M`, or give `{function}` more samples")
        }
        "time::no_step" => "give one: `dt = 0.5`".into(),
        "backend::not_available" => "leave `backend` out: `auto` takes what is there".into(),
        "stability::dt" => {
            let largest = message.rsplit("`dt` = ").next().unwrap_or("");
            format!("use `dt = {largest}` or less, or a coarser grid; `stability = off` runs it all the same")
        }
        "memory::allocation" => "use a smaller grid, fewer snapshots, or compress them".into(),
        "memory::limit" => {
            "compress more, save fewer snapshots with `every`, raise `memory_limit`, or let the rest go to disk: \
             `layers spill \"directory\"`"
                .into()
        }
        "function::layers_without_compression" => "add `compress noop`".into(),
        "store::disk" if message.contains("read from") => {
            "the file was cut or its disk failed: write the history again".into()
        }
        "store::disk" => "name a directory that exists and has room, as in `layers disk \"directory\"`".into(),
        "history::file" => "paths are relative to the folder of the program".into(),
        "history::format" => format!("write it again: `write {name} to \"{name}.wfh\"`"),
        "data::no_time" => format!("write `{name}` without `at`"),
        "data::out_of_range" => "snapshots count from 0; snapshot `i` holds step `i` times `every`".into(),
        "store::data_of_compressed" => {
            format!("use `decompress({name})`, or `decompress({name}, n)` for one snapshot")
        }
        "store::second_write" | "store::poisoned" => {
            format!("write to a fresh one: `twin {name}1 of {name}`")
        }
        "store::missing_step" => {
            "widen `time_m` and `time_M` of the run that writes it, or read fewer steps".into()
        }
        "compress::read_and_write" => {
            format!("split it: one operator writes `{name}`, a later one reads it")
        }
        "apply::bad_scalar" => "give a finite number; `dt` must not be 0 either".into(),
        "halo::too_narrow" => {
            // "in: the equation", which has a label, and what to do.
            let order = help.as_deref().and_then(|h| h.rsplit(' ').next()).unwrap_or("4").to_string();
            format!("declare `{}` with `order {order}` or more", message.rsplit('`').nth(1).unwrap_or(name))
        }
        "backend_c::no_compiler" => {
            "install gcc or clang, set CC to a C compiler, or leave the backend out: `auto` needs none".into()
        }
        "threads::count" => "leave `threads` out for one per core".into(),
        _ => return help,
    };
    Some(text)
}
