//! What a run may change of the sizes that a program is compiled for.

/// Other bounds, thicknesses and distances than the declared ones. An operator is compiled anew for each set of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Specialisation {
    /// Per restricted dimension: the first and the last point at which equations hold.
    pub bounds: Vec<(usize, usize, usize)>,
    /// Subdomain, dimension, and the thickness on the left and on the right.
    pub thickness: Vec<(String, usize, usize, usize)>,
    /// Function, and the distance of its snapshots in steps.
    pub every: Vec<(String, usize)>,
    /// Steps that are done at a time wherever their order allows it; the compiler chooses when it is `None`.
    pub steps: Option<usize>,
    /// Functions of space most of whose rows are equal to others, so that they hardly count as memory that moves, if they do not
    /// change. They decide on how loops are cut, not on what these compute.
    pub alike: Vec<String>,
}
