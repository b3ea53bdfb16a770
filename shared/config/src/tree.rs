//! How the option tree is walked.
//!
//! Every section is declared once, by [`options!`], and yields its struct, its defaults and a walk
//! that shows each field to a [`Visitor`] with its name, comment and range. Reading configuration,
//! the list of all options and the reference page are visitors; nothing else knows the names.

use crate::value::Value;
use crate::values::Shape;

/// What the declaration says about an option, besides its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    /// Name of the field, which is the last part of the option's path.
    pub(crate) name: &'static str,
    /// The field's comment, one line after the other.
    pub(crate) doc: &'static str,
    /// Smallest and largest number that is allowed, where the type allows more.
    pub(crate) bounds: Option<(i64, i64)>,
}

/// Anything that stands in the tree under a name.
pub(crate) trait Node {
    /// Shows itself to the visitor as what it is.
    fn accept(&mut self, about: &About, visitor: &mut dyn Visitor);
}

/// Sees every option of a tree, in the order of declaration.
pub(crate) trait Visitor {
    /// An option.
    fn leaf(&mut self, about: &About, leaf: &mut dyn Leaf);
    /// A section, or an object within one.
    fn group(&mut self, about: &About, group: &mut dyn Group);
    /// A list of objects.
    fn list(&mut self, about: &About, list: &mut dyn List);
}

/// An object with named options.
pub(crate) trait Group {
    /// Shows every field to the visitor.
    fn fields(&mut self, visitor: &mut dyn Visitor);
}

/// An option's value.
pub(crate) trait Leaf {
    /// Takes what was given; a zero value leaves the default, which is what the option holds.
    ///
    /// # Errors
    ///
    /// [`Rejected`] if the value is not of the option's type or out of its range.
    fn set(&mut self, given: &Value, bounds: Option<(i64, i64)>) -> Result<(), Rejected>;
    /// Replaces what the value takes from the environment.
    ///
    /// # Errors
    ///
    /// The variable that is not there.
    fn expand(&mut self, variable: &dyn Fn(&str) -> Option<String>) -> Result<(), String>;
    /// What may be written, as it follows «expected».
    fn expected(&self, bounds: Option<(i64, i64)>) -> String;
    /// The name of the type, for tables.
    fn kind(&self) -> String;
    /// What may be written, for programs.
    fn shape(&self, bounds: Option<(i64, i64)>) -> Shape;
    /// The present value, as one writes it.
    fn shown(&self) -> String;
    /// The present value as it stands in a file; a secret too.
    fn written(&self) -> Value;
    /// Whether the value must not be printed.
    fn is_secret(&self) -> bool {
        false
    }
}

/// The value is not one that the option takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Rejected;

/// A list of objects.
pub(crate) trait List {
    /// Appends an object with default values and hands it out.
    fn push(&mut self) -> &mut dyn Group;
    /// The objects that are there.
    fn items(&mut self) -> Vec<&mut dyn Group>;
    /// Whether objects are told apart by an option `name`, so that the environment can list them.
    fn is_named(&self) -> bool;
}

/// An object that stands in a list.
pub(crate) trait Item: Group + Default {
    /// Whether it has an option `name`.
    const NAMED: bool;
}

impl<T: Item> List for Vec<T> {
    fn push(&mut self) -> &mut dyn Group {
        self.push_mut(T::default())
    }

    fn items(&mut self) -> Vec<&mut dyn Group> {
        self.iter_mut().map(|item| item as &mut dyn Group).collect()
    }

    fn is_named(&self) -> bool {
        T::NAMED
    }
}

impl<T: Item> Node for Vec<T> {
    fn accept(&mut self, about: &About, visitor: &mut dyn Visitor) {
        visitor.list(about, self);
    }
}

/// Declares a section: struct, defaults and walk.
///
/// A field is `name: Type = default, low to high;` under its comment; default and range may be left
/// out. `flatten name: Group;` at the end takes the options of another group in as the section's own.
macro_rules! options {
    (
        $(#[doc = $about:literal])+
        pub struct $name:ident {
            $(
                $(#[doc = $doc:literal])+
                $field:ident : $kind:ty $(= $default:expr)? $(, $low:literal to $high:literal)? ;
            )*
            $(
                flatten
                $(#[doc = $flat_doc:literal])+
                $flat:ident : $flat_kind:ty ;
            )?
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, Eq, PartialEq)]
        pub struct $name {
            $(
                $(#[doc = $doc])+
                #[doc = ""]
                #[doc = $crate::tree::options!(@default_doc $($default)?)]
                pub $field: $kind,
            )*
            $(
                $(#[doc = $flat_doc])+
                pub $flat: $flat_kind,
            )?
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $($field: $crate::tree::options!(@default $($default)?),)*
                    $($flat: Default::default(),)?
                }
            }
        }

        impl $crate::tree::Group for $name {
            fn fields(&mut self, visitor: &mut dyn $crate::tree::Visitor) {
                $(
                    $crate::tree::Node::accept(
                        &mut self.$field,
                        &$crate::tree::About {
                            name: $crate::tree::bare(stringify!($field)),
                            doc: concat!($($doc, "\n"),+),
                            bounds: $crate::tree::options!(@bounds $($low $high)?),
                        },
                        visitor,
                    );
                )*
                $($crate::tree::Group::fields(&mut self.$flat, visitor);)?
            }
        }

        impl $crate::tree::Node for $name {
            fn accept(
                &mut self,
                about: &$crate::tree::About,
                visitor: &mut dyn $crate::tree::Visitor,
            ) {
                visitor.group(about, self);
            }
        }
    };
    (@default) => { Default::default() };
    (@default $default:expr) => { $default };
    (@default_doc) => { "Default: off, zero or empty." };
    (@default_doc $default:expr) => { concat!("Default: `", stringify!($default), "`.") };
    (@bounds) => { None };
    (@bounds $low:literal $high:literal) => { Some(($low, $high)) };
}

pub(crate) use options;

/// The name of a field without the mark that Rust wants before its own words.
pub(crate) fn bare(name: &'static str) -> &'static str {
    name.strip_prefix("r#").unwrap_or(name)
}
