//! One case: parameters from the manifest, arrays from its `.npz` file.

use ndarray::{ArrayD, IxDyn, OwnedRepr};
use ndarray_npy::NpzReader;
use serde_json::Value;
use std::fs::File;
use std::path::{Path, PathBuf};
use wavefold::prelude::*;

/// Why a case could not be run.
#[derive(Debug)]
pub struct Failure(pub String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(e: E) -> Self {
        Failure(e.to_string())
    }
}

pub type Outcome<T> = Result<T, Failure>;

pub struct Case {
    pub name: String,
    parameters: Value,
    file: PathBuf,
}

impl Case {
    pub fn all(directory: &Path) -> Outcome<Vec<Case>> {
        let manifest: Value = serde_json::from_reader(File::open(directory.join("manifest.json"))?)?;
        let cases = manifest["cases"].as_object().ok_or_else(|| Failure("no cases".into()))?;
        Ok(cases
            .iter()
            .map(|(name, parameters)| Case {
                name: name.clone(),
                parameters: parameters.clone(),
                file: directory.join(format!("{name}.npz")),
            })
            .collect())
    }

    pub fn number(&self, key: &str) -> Outcome<f64> {
        self.parameters[key].as_f64().ok_or_else(|| Failure(format!("no number `{key}`")))
    }

    pub fn count(&self, key: &str) -> Outcome<usize> {
        self.parameters[key].as_u64().map(|v| v as usize).ok_or_else(|| Failure(format!("no count `{key}`")))
    }

    pub fn numbers(&self, key: &str) -> Outcome<Vec<f64>> {
        let list = self.parameters[key].as_array().ok_or_else(|| Failure(format!("no list `{key}`")))?;
        Ok(list.iter().filter_map(Value::as_f64).collect())
    }

    /// A number inside of an object of the manifest.
    pub fn number_in(&self, object: &str, key: &str) -> Outcome<f64> {
        self.parameters[object][key].as_f64().ok_or_else(|| Failure(format!("no number `{object}.{key}`")))
    }

    pub fn array(&self, name: &str) -> Outcome<ArrayD<f64>> {
        let mut npz = NpzReader::new(File::open(&self.file)?)?;
        let a: ndarray::ArrayBase<OwnedRepr<f64>, IxDyn> = npz.by_name(&format!("{name}.npy"))?;
        Ok(a)
    }

    pub fn grid(&self, dtype: DType) -> Outcome<Grid> {
        let shape: Vec<usize> = self.numbers("shape")?.into_iter().map(|n| n as usize).collect();
        let origin = self.numbers("origin").unwrap_or_else(|_| vec![0.0; shape.len()]);
        Ok(Grid::new(shape).with_spacing(self.numbers("spacing")?).with_origin(origin).with_dtype(dtype))
    }

    /// Names of all stored arrays.
    pub fn arrays(&self) -> Vec<String> {
        self.parameters["arrays"].as_object().map(|a| a.keys().cloned().collect()).unwrap_or_default()
    }

    /// `NAME_everyK` among the stored arrays: its name, and `K`.
    pub fn sampled(&self, name: &str) -> Option<(String, usize)> {
        self.arrays().into_iter().find_map(|a| {
            let k = a.strip_prefix(name)?.strip_prefix("_every")?.parse().ok()?;
            Some((a, k))
        })
    }
}

/// The errors of one case: stored arrays by name, and other quantities.
#[derive(Default)]
pub struct Errors {
    pub list: Vec<(String, f64)>,
    checked: Vec<String>,
}

impl Errors {
    /// Compares a stored array: largest difference over the largest absolute value. `how` tells runs apart.
    pub fn array(&mut self, case: &Case, name: &str, how: &str, found: &Data) -> Outcome<()> {
        self.checked.push(name.to_string());
        if case.arrays().iter().any(|a| a == name) {
            self.list.push((format!("{name}{how}"), relative(&case.array(name)?, &found.to_f64())?));
        }
        Ok(())
    }

    /// Compares a number.
    pub fn number(&mut self, name: &str, found: f64, wanted: f64) {
        self.list.push((name.to_string(), (found - wanted).abs() / wanted.abs()));
    }

    /// Every stored array was an input or was compared.
    pub fn complete(&self, case: &Case) -> Outcome<()> {
        const INPUTS: [&str; 15] = [
            "v",
            "v0",
            "v_true",
            "damp",
            "wavelet",
            "src_coords",
            "rec_coords",
            "u0",
            "y",
            "lam",
            "mu",
            "b",
            "epsilon",
            "delta",
            "theta_with_halo",
        ];
        // `v` may also be what is computed: then it was compared.
        let missed = |a: &String| !INPUTS.contains(&a.as_str()) && !self.checked.contains(a);
        match case.arrays().into_iter().find(missed) {
            Some(a) => Err(Failure(format!("nothing computes the stored array `{a}`"))),
            None => Ok(()),
        }
    }
}

pub fn relative(wanted: &ArrayD<f64>, found: &ArrayD<f64>) -> Outcome<f64> {
    if wanted.shape() != found.shape() {
        return Err(Failure(format!("shape {:?}, not {:?}", found.shape(), wanted.shape())));
    }
    let scale = wanted.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let mut worst = 0.0f64;
    for (a, b) in wanted.iter().zip(found) {
        let e = (a - b).abs();
        if e.is_nan() {
            return Ok(f64::NAN);
        }
        worst = worst.max(e);
    }
    Ok(worst / scale)
}

/// Rows of coordinates.
pub fn rows(a: &ArrayD<f64>) -> Vec<Vec<f64>> {
    a.outer_iter().map(|row| row.iter().copied().collect()).collect()
}
