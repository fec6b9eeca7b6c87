//! zfp (Lindstrom 2014), to compare with: the library of the system, where there is one. Nothing else uses it.

use std::ffi::{c_double, c_uint, c_void};

use libloading::Library;
use wavefold::codecs::{DType, Element};

/// Under which names version 1 of the library is found.
const NAMES: [&str; 3] = ["libzfp.so.1", "libzfp.1.dylib", "libzfp.dylib"];

/// Something that the library made.
type Object = *mut c_void;
/// Codes or decodes all of a field: bytes of the stream.
type Pass = unsafe extern "C" fn(Object, Object) -> usize;

/// Functions of `zfp.h` and `zfp/bitstream.h`.
pub struct Zfp {
    stream_open: unsafe extern "C" fn(Object, usize) -> Object,
    stream_close: unsafe extern "C" fn(Object),
    zfp_stream_open: unsafe extern "C" fn(Object) -> Object,
    zfp_stream_close: unsafe extern "C" fn(Object),
    zfp_stream_set_accuracy: unsafe extern "C" fn(Object, c_double) -> c_double,
    zfp_stream_set_bit_stream: unsafe extern "C" fn(Object, Object),
    zfp_stream_rewind: unsafe extern "C" fn(Object),
    zfp_stream_maximum_size: unsafe extern "C" fn(Object, Object) -> usize,
    zfp_field_1d: unsafe extern "C" fn(*mut c_void, c_uint, usize) -> Object,
    zfp_field_2d: unsafe extern "C" fn(*mut c_void, c_uint, usize, usize) -> Object,
    zfp_field_3d: unsafe extern "C" fn(*mut c_void, c_uint, usize, usize, usize) -> Object,
    zfp_field_free: unsafe extern "C" fn(Object),
    zfp_compress: Pass,
    zfp_decompress: Pass,
    /// The stream, kept for the next one.
    words: Vec<u64>,
    _library: Library,
}

impl Zfp {
    /// The library, unless it is missing or of a version whose functions are others.
    pub fn find() -> Option<Zfp> {
        // SAFETY: what the library runs when it is loaded sets up itself.
        let library = NAMES.iter().find_map(|name| unsafe { Library::new(*name) }.ok())?;
        // SAFETY: in every version it is a number, which stays as long as the library.
        let version = unsafe { **library.get::<*const c_uint>(b"zfp_library_version\0").ok()? };
        if version >> 12 != 1 {
            return None;
        }
        macro_rules! function {
            ($name:literal) => {
                // SAFETY: the types are those of version 1.
                *unsafe { library.get(concat!($name, "\0").as_bytes()) }.ok()?
            };
        }
        Some(Zfp {
            stream_open: function!("stream_open"),
            stream_close: function!("stream_close"),
            zfp_stream_open: function!("zfp_stream_open"),
            zfp_stream_close: function!("zfp_stream_close"),
            zfp_stream_set_accuracy: function!("zfp_stream_set_accuracy"),
            zfp_stream_set_bit_stream: function!("zfp_stream_set_bit_stream"),
            zfp_stream_rewind: function!("zfp_stream_rewind"),
            zfp_stream_maximum_size: function!("zfp_stream_maximum_size"),
            zfp_field_1d: function!("zfp_field_1d"),
            zfp_field_2d: function!("zfp_field_2d"),
            zfp_field_3d: function!("zfp_field_3d"),
            zfp_field_free: function!("zfp_field_free"),
            zfp_compress: function!("zfp_compress"),
            zfp_decompress: function!("zfp_decompress"),
            words: Vec::new(),
            _library: library,
        })
    }

    /// Codes `values` of a shape, slowest axis first, none of which becomes further off than `tolerance`, on one thread: the
    /// number of bytes, 0 if the library does not.
    pub fn encode<T: Element>(&mut self, values: &[T], shape: &[usize], tolerance: f64) -> usize {
        // The library only reads the field when it codes.
        let field = self.field(values.as_ptr().cast_mut(), shape);
        self.pass(self.zfp_compress, field, tolerance)
    }

    /// Decodes what was coded last, of the same shape and with the same `tolerance`: the number of bytes.
    pub fn decode<T: Element>(&mut self, values: &mut [T], shape: &[usize], tolerance: f64) -> usize {
        let field = self.field(values.as_mut_ptr(), shape);
        self.pass(self.zfp_decompress, field, tolerance)
    }

    fn field<T: Element>(&self, values: *mut T, shape: &[usize]) -> Object {
        // `zfp_type_float` and `zfp_type_double`.
        let element = if T::DTYPE == DType::F64 { 4 } else { 3 };
        let values = values.cast();
        // SAFETY: the library only notes what it is given.
        unsafe {
            match *shape {
                [x] => (self.zfp_field_1d)(values, element, x),
                [y, x] => (self.zfp_field_2d)(values, element, x, y),
                [z, y, x] => (self.zfp_field_3d)(values, element, x, y, z),
                _ => unreachable!("grids have one to three axes"),
            }
        }
    }

    fn pass(&mut self, pass: Pass, field: Object, tolerance: f64) -> usize {
        // SAFETY: every object is open until it is closed, once. The words are at least as many as the library says that
        // it writes; it reads no more than it wrote, since field and tolerance are those of the coding pass.
        unsafe {
            let coder = (self.zfp_stream_open)(std::ptr::null_mut());
            (self.zfp_stream_set_accuracy)(coder, tolerance);
            let words = (self.zfp_stream_maximum_size)(coder, field).div_ceil(size_of::<u64>());
            if self.words.len() < words {
                self.words.resize(words, 0);
            }
            let bits = (self.stream_open)(self.words.as_mut_ptr().cast(), size_of_val(&self.words[..]));
            (self.zfp_stream_set_bit_stream)(coder, bits);
            (self.zfp_stream_rewind)(coder);
            let bytes = pass(coder, field);
            (self.zfp_field_free)(field);
            (self.zfp_stream_close)(coder);
            (self.stream_close)(bits);
            bytes
        }
    }
}
