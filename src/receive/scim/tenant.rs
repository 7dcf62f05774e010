//! Lists of a whole tenant, for the application.

use super::{Visit, answer::Answer};
use crate::{
    provision::Kind,
    scim::{ScimError, query::ListQuery},
};

impl Visit<'_> {
    /// One user or group of the tenant.
    pub(super) async fn of_tenant_one(&self, _kind: Kind, id: String) -> Result<Answer, ScimError> {
        Err(ScimError::not_found(&id))
    }

    /// Users or groups of the tenant.
    pub(super) async fn of_tenant_list(
        &self,
        _kind: Option<Kind>,
        _query: ListQuery,
    ) -> Result<Answer, ScimError> {
        Err(ScimError::of(501, "a tenant cannot be listed yet"))
    }
}
