//! The values of a statement's placeholders.

use super::value::Value;

/// What can be given for the `?` of a statement: nothing, values of one type in an array, a slice or
/// a vector, or values of several types in a tuple.
///
/// ```no_run
/// # async fn example(db: fleet_api::manager::Database) -> Result<(), fleet_api::Error> {
/// db.query("SELECT * FROM tickets", ()).await?;
/// db.query("SELECT * FROM tickets WHERE id IN (?, ?)", [2, 3]).await?;
/// db.query("SELECT * FROM tickets WHERE id = ? AND status = ?", (2, "open")).await?;
/// # Ok(()) }
/// ```
pub trait IntoParams {
    /// The values, in the order of the placeholders.
    fn into_params(self) -> Vec<Value>;
}

impl IntoParams for () {
    fn into_params(self) -> Vec<Value> {
        Vec::new()
    }
}

impl<T: Into<Value>, const N: usize> IntoParams for [T; N] {
    fn into_params(self) -> Vec<Value> {
        self.into_iter().map(Into::into).collect()
    }
}

impl<T: Into<Value>> IntoParams for Vec<T> {
    fn into_params(self) -> Vec<Value> {
        self.into_iter().map(Into::into).collect()
    }
}

impl<T: Into<Value> + Clone> IntoParams for &[T] {
    fn into_params(self) -> Vec<Value> {
        self.iter().cloned().map(Into::into).collect()
    }
}

macro_rules! tuples {
    ($(($($name:ident)+))+) => {
        $(impl<$($name: Into<Value>),+> IntoParams for ($($name,)+) {
            fn into_params(self) -> Vec<Value> {
                #[expect(non_snake_case, reason = "the type's name serves as the value's")]
                let ($($name,)+) = self;
                vec![$($name.into()),+]
            }
        })+
    };
}

tuples! { (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H) }
