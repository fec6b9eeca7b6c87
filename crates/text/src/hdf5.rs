//! Arrays from HDF5 files, when built with the feature `hdf5`.

use std::path::Path;

use wavefold_runtime::Data;

use crate::ast::Span;
use crate::diagnostic::{Diagnostic, Result};

/// A dataset of a file, of any number type that HDF5 converts: 64-bit values stay so, others become 32-bit ones.
pub fn load(full: &Path, path: &str, dataset: Option<&str>, span: Span) -> Result<Data> {
    let failed = |(reason, help): (String, String)| {
        Diagnostic::new("file::hdf5", span, format!("`{path}` cannot be read: {reason}")).help(help)
    };
    read(full, dataset).map_err(failed)
}

#[cfg(feature = "hdf5")]
fn read(full: &Path, dataset: Option<&str>) -> std::result::Result<Data, (String, String)> {
    let failed =
        |e: hdf5_metno::Error| (e.to_string(), "paths are relative to the folder of the program".into());
    let file = hdf5_metno::File::open(full).map_err(failed)?;
    let names = || match file.member_names() {
        Ok(names) if !names.is_empty() => format!("the file holds {}", names.join(", ")),
        _ => "the file holds nothing".into(),
    };
    let form = "name a dataset: `load(\"model.h5\", \"vp\")`";
    let Some(name) = dataset else { return Err((names(), form.into())) };
    let set =
        file.dataset(name).map_err(|_| (format!("it has no dataset `{name}`; {}", names()), form.into()))?;
    let shape = set.shape();
    let wide = set.dtype().is_ok_and(|t| t.is::<f64>());
    let data = if wide {
        Data::from_vec(&shape, set.read_raw::<f64>().map_err(failed)?)
    } else {
        Data::from_vec(&shape, set.read_raw::<f32>().map_err(failed)?)
    };
    data.map_err(|e| (e.to_string(), form.into()))
}

#[cfg(not(feature = "hdf5"))]
fn read(_: &Path, _: Option<&str>) -> std::result::Result<Data, (String, String)> {
    let help = "build it with `--features hdf5`, which needs the HDF5 library, or convert the file to .npy";
    Err(("this program was built without HDF5".into(), help.into()))
}

#[cfg(all(test, feature = "hdf5"))]
mod tests {
    use super::*;

    #[test]
    fn datasets_are_read_in_their_precision() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model.h5");
        {
            let file = hdf5_metno::File::create(&path).unwrap();
            let make = |name: &str| file.new_dataset::<f64>().shape([2, 3]).create(name).unwrap();
            make("vp").write_raw(&[1.0, 2.0, 3.0, 4.0, 5.0, 0.1]).unwrap();
            let group = file.create_group("deep").unwrap();
            let rho = group.new_dataset::<f32>().shape([2]).create("rho").unwrap();
            rho.write_raw(&[1.5_f32, 2.5]).unwrap();
            file.new_dataset::<i16>().shape([1]).create("count").unwrap().write_raw(&[7_i16]).unwrap();
        }
        let load = |name| load(&path, "model.h5", name, Span::new(0, 1));
        let vp = load(Some("vp")).unwrap();
        assert_eq!((vp.shape(), vp.as_f32().is_none(), vp.max()), (&[2, 3][..], true, 5.0));
        assert_eq!(vp.iter().last(), Some(0.1));
        assert_eq!(load(Some("deep/rho")).unwrap(), Data::from_vec(&[2], vec![1.5_f32, 2.5]).unwrap());
        assert_eq!(load(Some("count")).unwrap().max(), 7.0);
        let refused = |name| load(name).unwrap_err().to_string();
        assert!(refused(Some("vs")).contains("it has no dataset `vs`; the file holds count, deep, vp"));
        assert!(refused(None).contains("the file holds"));
        std::fs::write(&path, "no HDF5").unwrap();
        assert!(refused(Some("vp")).starts_with("`model.h5` cannot be read: "));
    }
}
