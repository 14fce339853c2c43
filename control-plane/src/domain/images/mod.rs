//! Images: VM templates under a customer-facing name. Where the template is may differ from server to server.

mod captured;
pub mod routes;
pub mod service;
mod store;

use std::collections::BTreeMap;

use crate::clock::Ms;
use crate::domain::servers::TemplateSeen;
use crate::ids::{ImageId, ServerId, TenantId};

pub use captured::{Captured, CapturedState, NewCaptured};

/// A VM template under a customer-facing name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its id.
    pub id: ImageId,
    /// Whose it is alone; `None`: the platform's, for everybody.
    pub tenant: Option<TenantId>,
    /// Unique among the images that a tenant sees.
    pub name: String,
    /// For people: `Debian 13`.
    pub os: String,
    /// The user that cloud-init makes when the request names none.
    pub default_user: String,
    /// The least disk that it needs.
    pub min_disk_gib: u64,
    /// Where the template is on servers that `overrides` does not name; `None`: only those have it.
    pub template: Option<TemplateRef>,
    /// Where it is on particular servers.
    pub overrides: BTreeMap<ServerId, TemplateRef>,
    /// Whether new pods may be made of it.
    pub active: bool,
    /// Raised by every change.
    pub version: i64,
    /// When it was made.
    pub created_at: Ms,
    /// When it was last changed.
    pub updated_at: Ms,
}

/// How a template is found on a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateRef {
    /// By its number.
    Vmid(u32),
    /// By its name; the lowest VMID where several have it.
    Name(String),
}

impl TemplateRef {
    /// The template among those that a server's agent saw.
    #[must_use]
    pub fn find<'a>(&self, seen: &'a [TemplateSeen]) -> Option<&'a TemplateSeen> {
        let matches = |t: &&TemplateSeen| match self {
            Self::Vmid(vmid) => t.vmid == *vmid,
            Self::Name(name) => t.name == *name,
        };
        seen.iter().filter(matches).min_by_key(|t| t.vmid)
    }
}

impl Image {
    /// The image's template on a server, if it is there.
    #[must_use]
    pub fn template_on<'a>(&self, server: ServerId, seen: &'a [TemplateSeen]) -> Option<&'a TemplateSeen> {
        self.overrides.get(&server).or(self.template.as_ref())?.find(seen)
    }
}

/// An image to be made.
#[derive(Clone, Debug)]
pub struct ImageCreate {
    /// Unique.
    pub name: String,
    /// For people.
    pub os: String,
    /// The user that cloud-init makes.
    pub default_user: String,
    /// The least disk that it needs.
    pub min_disk_gib: u64,
    /// The template's VMID, where no override says otherwise.
    pub template_vmid: Option<u32>,
    /// The template's name, where no override says otherwise.
    pub template_name: Option<String>,
    /// Where it is on particular servers.
    pub templates: Vec<TemplateOverride>,
    /// Whether new pods may be made of it.
    pub active: bool,
}

/// Where an image's template is on one server: by VMID or by name.
#[derive(Clone, Debug)]
pub struct TemplateOverride {
    /// Id or name.
    pub server: String,
    /// By VMID.
    pub template_vmid: Option<u32>,
    /// By name.
    pub template_name: Option<String>,
}

/// A change of an image; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct ImagePatch {
    /// A new name.
    pub name: Option<String>,
    /// For people.
    pub os: Option<String>,
    /// The user that cloud-init makes.
    pub default_user: Option<String>,
    /// The least disk that it needs.
    pub min_disk_gib: Option<u64>,
    /// The template's VMID; setting it takes a name away.
    pub template_vmid: Option<Option<u32>>,
    /// The template's name; setting it takes a VMID away.
    pub template_name: Option<Option<String>>,
    /// All overrides anew.
    pub templates: Option<Vec<TemplateOverride>>,
    /// Whether new pods may be made of it.
    pub active: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_wins_and_only_a_template_that_is_there_counts() {
        let seen = |vmid, name: &str| TemplateSeen { vmid, name: name.to_owned(), disk_mib: 0 };
        let (here, there) = (ServerId::generate(), ServerId::generate());
        let image = Image {
            id: ImageId::generate(),
            tenant: None,
            name: "debian".into(),
            os: String::new(),
            default_user: "debian".into(),
            min_disk_gib: 0,
            template: Some(TemplateRef::Name("debian-13".into())),
            overrides: [(there, TemplateRef::Vmid(9000))].into(),
            active: true,
            version: 1,
            created_at: Ms(0),
            updated_at: Ms(0),
        };
        let templates = [seen(9002, "debian-13"), seen(9001, "debian-13"), seen(9003, "ubuntu")];
        let on = |server, seen: &[TemplateSeen]| image.template_on(server, seen).map(|template| template.vmid);
        assert_eq!(on(here, &templates), Some(9001));
        assert_eq!(on(there, &templates), None);
        assert_eq!(on(there, &[seen(9000, "x")]), Some(9000));
        assert_eq!(on(here, &[]), None);
    }
}
