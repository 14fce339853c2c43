//! What is said of hosts to whom they are not shown: a tenant's people choose regions and plans, and where that comes to be is the
//! platform's. Decided here, by one permission.

use axum::response::Response;

use super::auth::Auth;
use super::problem::{Problem, ProblemField};
use crate::app::App;
use crate::domain::access::Permission;
use crate::error::{Error, FieldError, NO_CAPACITY, NO_ROOM, Result};
use crate::ids::ServerId;

impl Auth {
    /// Whether the caller is shown hosts: their names, storages, figures.
    #[must_use]
    pub fn sees_hosts(&self) -> bool {
        self.grant.has(Permission::ServersRead)
    }

    /// Refuses (403) that a caller who is not shown hosts chooses one, or something of one, by `field`.
    pub fn host_choice<T>(&self, field: &str, chosen: Option<&T>) -> Result<()> {
        if chosen.is_none() || self.sees_hosts() {
            return Ok(());
        }
        Err(Error::Forbidden(format!(
            "{field} is the platform's to choose (it takes the permission {}): leave it out",
            Permission::ServersRead
        )))
    }

    /// Refuses (422) an ISO image, `STORAGE:iso/NAME`, of a storage whose images are not for everybody.
    pub fn iso_choice(&self, app: &App, iso: Option<&str>) -> Result<()> {
        let Some((storage, _)) = iso.and_then(|iso| iso.split_once(':')) else { return Ok(()) };
        let offered = &app.config.media.iso_storages;
        if self.sees_hosts() || offered.iter().any(|offered| offered == storage) {
            return Ok(());
        }
        let cure = if offered.is_empty() {
            "the platform offers none".to_owned()
        } else {
            format!("take one of {}", offered.join(", "))
        };
        Err(Error::invalid("iso", format!("images of the storage {storage} are the platform's own: {cure}")))
    }

    /// The server that a filter names by id or name. To whom hosts are not shown, one that does not exist is like one that
    /// has nothing of theirs.
    pub async fn server_named(&self, app: &App, field: &str, name: Option<&str>) -> Result<Option<ServerId>> {
        let Some(name) = name else { return Ok(None) };
        match app.servers.server_show(name).await {
            Ok(server) => Ok(Some(server.id)),
            Err(Error::NotFound { .. }) if !self.sees_hosts() => Ok(Some(ServerId(uuid::Uuid::nil()))),
            Err(error @ Error::NotFound { .. }) => Err(Error::invalid(field, error.to_string())),
            Err(error) => Err(error),
        }
    }

    /// Takes out of an answer of 507 what it says of each server.
    pub(super) fn capacity_hidden(&self, response: &mut Response) {
        let problem = response.extensions_mut().get_mut::<Problem>().filter(|problem| problem.code == NO_CAPACITY);
        if let Some(problem) = problem.filter(|_| !self.sees_hosts()) {
            NO_ROOM.clone_into(&mut problem.detail);
            problem.errors =
                vec![ProblemField::from(FieldError { field: "servers".to_owned(), message: NO_ROOM.to_owned() })];
        }
    }
}
