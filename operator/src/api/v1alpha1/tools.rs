//! What helps developers beside the application, as users write it.
//!
//! Invariant: data only, as everything of `v1alpha1`.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What helps developers beside the application.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Tools {
    /// Adminer, which shows what is in the database: the Service `<stack>-adminer`, in a browser by
    /// `kubectl port-forward service/<stack>-adminer 8080:80`. It is logged in already, so whoever reaches it sees all data. Default: true in local.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adminer: Option<bool>,

    /// What may be done to the data in Adminer; see [`AdminerAccess`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adminer_access: Option<AdminerAccess>,

    /// Mailpit, which takes every mail of the application and sends none on: the Service `<stack>-mail`, in a browser by
    /// `kubectl port-forward service/<stack>-mail 1080:80`. The application is told to send there unless `email` says where; what is caught is
    /// gone with the pod. Default: true in local where there is no `email`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<bool>,
}

/// What may be done to the data in Adminer. Default: `ReadOnly`.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AdminerAccess {
    /// They can be looked at.
    #[default]
    ReadOnly,
    /// They can be changed too, by the rights of the application.
    ReadWrite,
}
