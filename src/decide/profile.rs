//! The texts of a user's profile. Each of them is a column of `users` with the same name.
//!
//! The list below is the only one: facts, rows, statements, lists, audit entries and the filling of a leaver's profile
//! follow from it. A new column also needs a migration for each database and the broker's module that reads it.

use serde::Serialize;

/// One text of a [`Profile`].
#[derive(Clone, Copy, Debug)]
pub struct ProfileColumn {
    /// The name of the field and of the column.
    pub name: &'static str,
    /// Reads the text.
    pub get: fn(&Profile) -> Option<&str>,
    /// Gives the place of the text, to write it.
    pub get_mut: fn(&mut Profile) -> &mut Option<String>,
}

/// Makes the struct with these fields, and the list of its columns.
macro_rules! profile {
    ($($(#[$about:meta])* $column:ident,)*) => {
        /// The texts of a user's profile. Absent and empty values are `None`.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
        pub struct Profile {
            $($(#[$about])* pub $column: Option<String>,)*
        }

        impl Profile {
            /// The columns, in the order of the fields.
            pub const COLUMNS: &'static [ProfileColumn] = &[$(ProfileColumn {
                name: stringify!($column),
                get: |profile| profile.$column.as_deref(),
                get_mut: |profile| &mut profile.$column,
            },)*];
        }
    };
}

profile! {
    /// The id that the identity provider uses.
    idp_id,
    /// The primary address, as it was written.
    email,
    /// The login name.
    username,
    /// The given name.
    first_name,
    /// The family name.
    last_name,
    /// The display name.
    name,
    /// The job title.
    job_title,
}

impl Profile {
    /// The texts with their columns.
    pub fn texts(&self) -> impl Iterator<Item = (&'static str, Option<&str>)> {
        Self::COLUMNS.iter().map(|column| (column.name, (column.get)(self)))
    }
}
