//! Shapes on the command line: `256x256x256`.

use std::fmt;
use std::str::FromStr;

/// Points per axis, slowest axis first; at least one axis, and at least one point on each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape(pub Vec<usize>);

impl Shape {
    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// Number of points, unless it is too large to count.
    pub fn points(&self) -> Option<usize> {
        self.0.iter().try_fold(1_usize, |product, n| product.checked_mul(*n))
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Shape, String> {
        let axis = |part: &str| match part.trim().parse::<usize>() {
            Ok(0) => Err("every axis needs at least one point".to_string()),
            Ok(points) => Ok(points),
            Err(_) => {
                Err(format!("`{part}` is no number of points; write the points per axis as in 256x256x256"))
            }
        };
        text.split(['x', 'X']).map(axis).collect::<Result<Vec<_>, _>>().map(Shape)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(usize::to_string).collect();
        f.write_str(&parts.join("x"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_print_as_they_are_written() {
        for text in ["7", "1601x401", "1x2x3"] {
            assert_eq!(text.parse::<Shape>().unwrap().to_string(), text);
        }
        assert_eq!("2X3".parse::<Shape>().unwrap().points(), Some(6));
        assert_eq!(Shape(vec![usize::MAX, 2]).points(), None);
    }

    #[test]
    fn wrong_shapes_are_refused() {
        for text in ["", "x", "3x", "3x0", "-3x4", "3.5", "99999999999999999999999"] {
            assert!(text.parse::<Shape>().is_err(), "{text}");
        }
    }
}
