//! Vectors and tensors of functions.

use crate::{
    Bounded, DType, Dim, Expr, Function, FunctionBuilder, Grid, IntoExpr, IntoTensor, IntoVector, Layers,
    Result, Stagger, Tensor, TimeFunction, TimeFunctionBuilder, Vector,
};

/// The dimensions in which component `k` of a vector lies half a spacing up: its own (Virieux, 1986).
fn vector_stagger(k: usize) -> Stagger {
    Stagger::from(Dim::Space(k))
}

/// Those of component `(i, j)` of a tensor: both, or none on the diagonal.
fn tensor_stagger(i: usize, j: usize) -> Stagger {
    if i == j { Stagger::Node } else { Stagger::from([Dim::Space(i), Dim::Space(j)]) }
}

fn names(name: &str, rank: usize) -> impl Iterator<Item = String> {
    (0..rank.min(3)).map(move |d| format!("{name}_{}", Dim::Space(d).name()))
}

/// Settings that the builders of all components share.
macro_rules! common_settings {
    () => {
        /// Order of space derivatives and width of the halo: even, 2 to 64.
        pub fn space_order(mut self, order: u32) -> Self {
            self.prototype = self.prototype.space_order(order);
            self
        }

        /// The element type.
        pub fn dtype(mut self, dtype: DType) -> Self {
            self.prototype = self.prototype.dtype(dtype);
            self
        }

        /// Puts all components at the nodes.
        pub fn collocated(mut self) -> Self {
            self.collocated = true;
            self
        }
    };
}

macro_rules! time_settings {
    () => {
        /// 1 or 2. A function that is not saved keeps `time_order + 1` time levels.
        pub fn time_order(mut self, order: u32) -> Self {
            self.prototype = self.prototype.time_order(order);
            self
        }

        /// Keeps a history of this many snapshots.
        pub fn save(mut self, snapshots: usize) -> Self {
            self.prototype = self.prototype.save(snapshots);
            self
        }

        /// Keeps one step in `every`.
        pub fn save_every(mut self, every: usize) -> Self {
            self.prototype = self.prototype.save_every(every);
            self
        }

        /// Compresses the snapshots, as [`TimeFunctionBuilder::compression`](crate::TimeFunctionBuilder::compression).
        pub fn compression(mut self, compression: impl Into<Bounded>) -> Self {
            self.prototype = self.prototype.compression(compression);
            self
        }

        /// Chooses where the history is kept.
        pub fn layers(mut self, layers: Layers) -> Self {
            self.prototype = self.prototype.layers(layers);
            self
        }
    };
}

macro_rules! vector {
    ($handle:ident $builder:ident: $function:ident $prototype:ident, $what:literal $(, $settings:ident)?) => {
        #[doc = concat!("A vector of functions ", $what, ": `v_x`, `v_y`, `v_z`.")]
        ///
        /// Component `i` lies half a spacing up along dimension `i`, unless it is collocated.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $handle(Vec<$function>);

        #[doc = concat!("Builder of a [`", stringify!($handle), "`].")]
        #[derive(Clone, Debug)]
        #[must_use = "a builder makes nothing until `build`"]
        pub struct $builder {
            prototype: $prototype,
            collocated: bool,
        }

        impl $handle {
            /// Starts a vector of this name on a grid.
            #[allow(clippy::new_ret_no_self, reason = "the fluent form that users write")]
            pub fn new(name: impl Into<String>, grid: &Grid) -> $builder {
                $builder { prototype: $prototype::new(name.into(), grid), collocated: false }
            }

            /// The components, in the order of the dimensions.
            #[must_use]
            pub fn components(&self) -> &[$function] {
                &self.0
            }

            /// The vector of expressions.
            #[must_use]
            pub fn expr(&self) -> Vector {
                Vector::new(self.0.iter().map(IntoExpr::expr))
            }
        }

        impl $builder {
            common_settings!();
            $($settings!();)?

            /// Makes the components.
            ///
            /// # Errors
            /// The `grid::`, `name::` and `function::` codes.
            pub fn build(self) -> Result<$handle> {
                let (name, rank) = (self.prototype.name().to_string(), self.prototype.grid().rank());
                let component = |(k, name): (usize, String)| {
                    let stagger = if self.collocated { Stagger::Node } else { vector_stagger(k) };
                    self.prototype.renamed(name).staggered(stagger).build()
                };
                names(&name, rank).enumerate().map(component).collect::<Result<_>>().map($handle)
            }
        }

        impl IntoVector for $handle {
            fn vector(&self) -> Vector {
                self.expr()
            }
        }

        impl std::ops::Index<usize> for $handle {
            type Output = $function;

            fn index(&self, d: usize) -> &$function {
                &self.0[d]
            }
        }
    };
}

vector!(VectorFunction VectorFunctionBuilder: Function FunctionBuilder, "of space");
vector!(VectorTimeFunction VectorTimeFunctionBuilder: TimeFunction TimeFunctionBuilder,
    "of time and space", time_settings);

macro_rules! tensor {
    ($handle:ident $builder:ident: $function:ident $prototype:ident, $what:literal $(, $settings:ident)?) => {
        #[doc = concat!("A tensor of functions ", $what, ": `t_xx`, `t_xy`, ..; symmetric unless said otherwise.")]
        ///
        /// Components on the diagonal lie at the nodes, the others half a spacing up along both of their dimensions, unless
        /// they are collocated.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $handle {
            /// Row-major; `None` for the zeros of a diagonal tensor. Both halves of a symmetric one name the same function.
            components: Vec<Option<$function>>,
            rank: usize,
        }

        #[doc = concat!("Builder of a [`", stringify!($handle), "`].")]
        #[derive(Clone, Debug)]
        #[must_use = "a builder makes nothing until `build`"]
        pub struct $builder {
            prototype: $prototype,
            collocated: bool,
            symmetric: bool,
            diagonal: bool,
        }

        impl $handle {
            /// Starts a tensor of this name on a grid.
            #[allow(clippy::new_ret_no_self, reason = "the fluent form that users write")]
            pub fn new(name: impl Into<String>, grid: &Grid) -> $builder {
                let prototype = $prototype::new(name.into(), grid);
                $builder { prototype, collocated: false, symmetric: true, diagonal: false }
            }

            /// The component `(i, j)`; `None` where a diagonal tensor is zero, or beyond the dimensions.
            #[must_use]
            pub fn component(&self, i: usize, j: usize) -> Option<&$function> {
                let inside = i < self.rank && j < self.rank;
                self.components.get(i * self.rank + j).filter(|_| inside)?.as_ref()
            }

            /// The distinct components, row by row.
            #[must_use]
            pub fn components(&self) -> Vec<&$function> {
                let mut distinct: Vec<&$function> = Vec::new();
                for component in self.components.iter().flatten() {
                    if !distinct.contains(&component) {
                        distinct.push(component);
                    }
                }
                distinct
            }

            /// The tensor of expressions.
            #[must_use]
            pub fn expr(&self) -> Tensor {
                let zero = || Expr::number(0.0);
                Tensor::new(self.components.iter().map(|c| c.as_ref().map_or_else(zero, IntoExpr::expr)))
            }
        }

        impl $builder {
            common_settings!();
            $($settings!();)?

            /// Whether components `(i, j)` and `(j, i)` are one function.
            pub fn symmetric(mut self, symmetric: bool) -> Self {
                self.symmetric = symmetric;
                self
            }

            /// Keeps the diagonal only.
            pub fn diagonal(mut self) -> Self {
                self.diagonal = true;
                self
            }

            /// Makes the components.
            ///
            /// # Errors
            /// The `grid::`, `name::` and `function::` codes.
            pub fn build(self) -> Result<$handle> {
                let (name, rank) = (self.prototype.name().to_string(), self.prototype.grid().rank().min(3));
                let mut components: Vec<Option<$function>> = Vec::new();
                for (i, j) in (0..rank * rank).map(|k| (k / rank, k % rank)) {
                    let component = if self.diagonal && i != j {
                        None
                    } else if self.symmetric && j < i {
                        components[j * rank + i].clone()
                    } else {
                        let stagger = if self.collocated { Stagger::Node } else { tensor_stagger(i, j) };
                        let name = format!("{name}_{}{}", Dim::Space(i).name(), Dim::Space(j).name());
                        Some(self.prototype.renamed(name).staggered(stagger).build()?)
                    };
                    components.push(component);
                }
                Ok($handle { components, rank })
            }
        }

        impl IntoTensor for $handle {
            fn tensor(&self) -> Tensor {
                self.expr()
            }
        }
    };
}

tensor!(TensorFunction TensorFunctionBuilder: Function FunctionBuilder, "of space");
tensor!(TensorTimeFunction TensorTimeFunctionBuilder: TimeFunction TimeFunctionBuilder,
    "of time and space", time_settings);

/// `v.forward()`, and sums that begin with a handle.
macro_rules! handle_arithmetic {
    ($($handle:ident: $value:ident $into:ident $method:ident),*) => {$(
        impl<R: $into> std::ops::Add<R> for &$handle {
            type Output = $value;

            fn add(self, other: R) -> $value {
                self.$method() + other
            }
        }

        impl<R: $into> std::ops::Sub<R> for &$handle {
            type Output = $value;

            fn sub(self, other: R) -> $value {
                self.$method() - other
            }
        }

        impl<S: IntoExpr> std::ops::Mul<S> for &$handle {
            type Output = $value;

            fn mul(self, factor: S) -> $value {
                self.$method() * factor
            }
        }
    )*};
}

handle_arithmetic!(
    VectorFunction: Vector IntoVector vector,
    VectorTimeFunction: Vector IntoVector vector,
    TensorFunction: Tensor IntoTensor tensor,
    TensorTimeFunction: Tensor IntoTensor tensor
);

macro_rules! time_handles {
    ($($handle:ident: $value:ident),*) => {$(
        impl $handle {
            /// At the next step.
            #[must_use]
            pub fn forward(&self) -> $value {
                self.expr().forward()
            }

            /// At the previous step.
            #[must_use]
            pub fn backward(&self) -> $value {
                self.expr().backward()
            }

            /// The forward difference in time.
            #[must_use]
            pub fn dt(&self) -> $value {
                self.expr().dt()
            }

            /// The second difference in time.
            #[must_use]
            pub fn dt2(&self) -> $value {
                self.expr().dt2()
            }
        }
    )*};
}

time_handles!(VectorTimeFunction: Vector, TensorTimeFunction: Tensor);
