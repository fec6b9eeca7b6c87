//! Arrays from files and models, and files from arrays.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use ndarray::{Array2, ArrayD};
use wavefold_runtime::Data;
use wavefold_seismic::picture::{ColourMap, FieldStyle};
use wavefold_seismic::{Section, field_picture, load_model};
use wavefold_symbolic::Grid;

use crate::ast::Span;
use crate::diagnostic::{Diagnostic, Result};

/// An array from `.npy`, raw little-endian 32-bit values (`.f32`, `.bin`), raw 64-bit values (`.f64`), or `.csv`.
pub fn load(folder: &Path, path: &str, shape: Option<&[usize]>, span: Span) -> Result<Data> {
    let full = folder.join(path);
    let unreadable = |reason: String| {
        Diagnostic::new("file::read", span, format!("`{path}` cannot be read: {reason}"))
            .help("paths are relative to the folder of the program")
    };
    match full.extension().and_then(|e| e.to_str()).unwrap_or("") {
        "csv" => {
            let text = std::fs::read_to_string(&full).map_err(|e| unreadable(e.to_string()))?;
            csv(&text).map_err(|reason| {
                Diagnostic::new("file::csv", span, format!("`{path}` is no table of numbers: {reason}"))
                    .help("a line for each row, numbers with commas between them")
            })
        }
        "f64" => {
            let bytes = std::fs::read(&full).map_err(|e| unreadable(e.to_string()))?;
            let values: Vec<f64> =
                bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap_or_default())).collect();
            let shape = shape.map_or_else(|| vec![values.len()], <[usize]>::to_vec);
            Data::from_vec(&shape, values).map_err(|e| unreadable(e.to_string()))
        }
        _ => {
            if !full.exists() {
                return Err(unreadable("there is no such file".into()));
            }
            load_model(&full, shape).map(Data::from).map_err(|e| unreadable(e.to_string()))
        }
    }
}

fn csv(text: &str) -> std::result::Result<Data, String> {
    let mut rows: Vec<Vec<f64>> = vec![];
    for (i, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("").trim();
        if line.is_empty() {
            continue;
        }
        let row: std::result::Result<Vec<f64>, _> = line.split(',').map(|cell| cell.trim().parse()).collect();
        match row {
            Ok(row) if rows.first().is_none_or(|first| first.len() == row.len()) => rows.push(row),
            Ok(row) => return Err(format!("line {} has {} numbers", i + 1, row.len())),
            // A head line.
            Err(_) if rows.is_empty() => {}
            Err(_) => return Err(format!("line {} holds something else", i + 1)),
        }
    }
    let width = rows.first().map_or(0, Vec::len);
    Data::from_vec(&[rows.len(), width], rows.concat()).map_err(|e| e.to_string())
}

/// Writes an array: `.npy`, `.csv`, `.png` (a section of two dimensions), or `.vti` (for ParaView). A file is there whole or
/// not at all.
pub fn write(
    folder: &Path,
    path: &str,
    data: &Data,
    grid: Option<&Grid>,
    title: &str,
    span: Span,
) -> Result<PathBuf> {
    let full = folder.join(path);
    let failed = |reason: String| {
        Diagnostic::new("file::write", span, format!("`{path}` cannot be written: {reason}"))
            .help("paths are relative to the folder of the program")
    };
    let extension = full.extension().and_then(|e| e.to_str()).unwrap_or("").to_string();
    let parent = full.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = tempfile::Builder::new()
        .prefix(".wavefold")
        .suffix(&format!(".{extension}"))
        .tempfile_in(parent)
        .map_err(|e| failed(e.to_string()))?;
    let bytes = match extension.as_str() {
        "npy" => npy(data),
        "csv" => table(data),
        "vti" => vti(data, grid, title).map_err(failed)?,
        "png" => {
            let section = section(data).ok_or_else(|| failed(format!("its shape is {:?}", data.shape())))?;
            let (spacing, origin) = match grid {
                Some(g) if g.rank() == 2 => {
                    ([g.spacing()[0], g.spacing()[1]], [g.origin()[0], g.origin()[1]])
                }
                _ => ([1.0; 2], [0.0; 2]),
            };
            let signed = section.iter().any(|v| *v < 0.0);
            let colours = if signed { ColourMap::Diverging } else { ColourMap::Sequential };
            let style = FieldStyle { title, label: "", colours };
            let drawn = Section { spacing, origin, ..Section::default() };
            field_picture(temporary.path(), &section, &drawn, &style).map_err(|e| failed(e.to_string()))?;
            vec![]
        }
        _ => {
            let error = Diagnostic::new(
                "file::format",
                span,
                format!("`{path}` is no kind of file that can be written"),
            );
            return Err(error.help("end its name with .npy, .csv, .png or .vti"));
        }
    };
    temporary.write_all(&bytes).map_err(|e| failed(e.to_string()))?;
    temporary.persist(&full).map_err(|e| failed(e.error.to_string()))?;
    Ok(full)
}

/// A field of two dimensions as it is drawn: of three dimensions, the middle of the second.
fn section(data: &Data) -> Option<Array2<f32>> {
    let values = data.to_f32();
    match values.ndim() {
        2 => values.into_dimensionality().ok(),
        3 => {
            let middle = values.shape()[1] / 2;
            values.index_axis(ndarray::Axis(1), middle).to_owned().into_dimensionality().ok()
        }
        _ => None,
    }
}

fn npy(data: &Data) -> Vec<u8> {
    let kind = if data.as_f32().is_some() { "<f4" } else { "<f8" };
    let shape: String = data.shape().iter().map(|n| format!("{n}, ")).collect();
    let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}");
    // The values begin on a multiple of 64 bytes.
    let padding = (64 - (10 + header.len() + 1) % 64) % 64;
    header.push_str(&" ".repeat(padding));
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values(data));
    bytes
}

fn values(data: &Data) -> Vec<u8> {
    let f32s = |a: &ArrayD<f32>| a.iter().flat_map(|v| v.to_le_bytes()).collect();
    let f64s = |a: &ArrayD<f64>| a.iter().flat_map(|v| v.to_le_bytes()).collect();
    match data {
        Data::F32(a) => f32s(a),
        Data::F64(a) => f64s(a),
    }
}

fn table(data: &Data) -> Vec<u8> {
    let width = data.shape().last().copied().unwrap_or(1).max(1);
    let all: Vec<f64> = data.iter().collect();
    let row = |row: &[f64]| row.iter().map(f64::to_string).collect::<Vec<_>>().join(",") + "\n";
    all.chunks(width).map(row).collect::<String>().into_bytes()
}

/// An image file of VTK: the first dimension of VTK varies fastest, so the values are turned over.
fn vti(data: &Data, grid: Option<&Grid>, title: &str) -> std::result::Result<Vec<u8>, String> {
    let shape = data.shape();
    if !(1..=3).contains(&shape.len()) {
        return Err(format!("its shape is {shape:?}"));
    }
    let at =
        |list: Option<&[f64]>, d: usize, other: f64| list.and_then(|l| l.get(d)).copied().unwrap_or(other);
    let of = |list: Option<&[f64]>, other: f64| {
        (0..3).map(|d| at(list, d, other).to_string()).collect::<Vec<_>>().join(" ")
    };
    let extent: Vec<String> =
        (0..3).map(|d| format!("0 {}", shape.get(d).map_or(0, |n| n.saturating_sub(1)))).collect();
    let fits = grid.filter(|g| g.rank() == shape.len());
    let (spacing, origin) = (of(fits.map(|g| g.spacing()), 1.0), of(fits.map(|g| g.origin()), 0.0));
    let kind = if data.as_f32().is_some() { "Float32" } else { "Float64" };
    let turned: Vec<u8> = match data {
        Data::F32(a) => values(&a.view().reversed_axes().as_standard_layout().to_owned().into()),
        Data::F64(a) => values(&a.view().reversed_axes().as_standard_layout().to_owned().into()),
    };
    let extent = extent.join(" ");
    let mut bytes = format!(
        "<?xml version=\"1.0\"?>\n<VTKFile type=\"ImageData\" version=\"1.0\" byte_order=\"LittleEndian\" \
         header_type=\"UInt64\">\n<ImageData WholeExtent=\"{extent}\" Origin=\"{origin}\" Spacing=\"{spacing}\">\n\
         <Piece Extent=\"{extent}\"><PointData Scalars=\"{title}\">\n<DataArray type=\"{kind}\" Name=\"{title}\" \
         format=\"appended\" offset=\"0\"/>\n</PointData></Piece></ImageData>\n<AppendedData encoding=\"raw\">\n_"
    )
    .into_bytes();
    bytes.extend((turned.len() as u64).to_le_bytes());
    bytes.extend(turned);
    bytes.extend(b"\n</AppendedData>\n</VTKFile>\n");
    Ok(bytes)
}
