//! A kind of objects, as the API server knows it.
//!
//! Invariant: data only. With it one function reads or watches objects of any kind, where only their metadata count.

use std::borrow::Cow;
use std::fmt;

use kube::Resource;
use kube::core::ApiResource;

/// A kind of objects.
#[derive(Clone, Copy)]
pub struct Kind {
    name: &'static str,
    resource: fn() -> ApiResource,
}

impl Kind {
    /// That of a type.
    #[must_use]
    pub fn of<K: Resource<DynamicType = ()>>() -> Self {
        Self::named::<K>(kind::<K>())
    }

    /// That of a type whose kind is called so: what kube says of it is known at run time alone.
    #[must_use]
    pub const fn named<K: Resource<DynamicType = ()>>(name: &'static str) -> Self {
        Self {
            name,
            resource: || ApiResource::erase::<K>(&()),
        }
    }

    /// As manifests spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Where the API server has its objects.
    #[must_use]
    pub fn resource(self) -> ApiResource {
        (self.resource)()
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The kind of a type as a word that lives for ever: that of every typed kind is a constant.
#[must_use]
pub fn kind<K: Resource<DynamicType = ()>>() -> &'static str {
    match K::kind(&()) {
        Cow::Borrowed(kind) => kind,
        Cow::Owned(_) => "object",
    }
}
