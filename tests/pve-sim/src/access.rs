//! Users, API tokens, roles and access control lists, and what they add up to.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::config::Flavour;
use crate::error::ApiError;
use crate::state::Cluster;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Access {
    pub(crate) users: BTreeMap<String, User>,
    pub(crate) roles: BTreeMap<String, BTreeSet<String>>,
    pub(crate) acl: Vec<AclEntry>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) password: Option<String>,
    pub(crate) comment: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) disabled: bool,
    pub(crate) expire: i64,
    pub(crate) tokens: BTreeMap<String, Token>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Token {
    pub(crate) secret: String,
    pub(crate) privsep: bool,
    pub(crate) comment: Option<String>,
    pub(crate) expire: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AclEntry {
    pub(crate) path: String,
    /// `user@realm` or `user@realm!token`.
    pub(crate) who: String,
    pub(crate) role: String,
    pub(crate) propagate: bool,
}

/// Who a request speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) user: String,
    pub(crate) token: Option<String>,
}

impl Identity {
    /// `user@realm` or `user@realm!token`, as it stands in UPIDs.
    pub(crate) fn full(&self) -> String {
        self.token.as_ref().map_or_else(|| self.user.clone(), |token| format!("{}!{token}", self.user))
    }

    /// Only root by ticket is root; a token of root is not.
    pub(crate) fn is_root(&self) -> bool {
        self.user == "root@pam" && self.token.is_none()
    }
}

const VM_PRIVS: &[&str] = &[
    "VM.Allocate",
    "VM.Audit",
    "VM.Backup",
    "VM.Clone",
    "VM.Config.CDROM",
    "VM.Config.CPU",
    "VM.Config.Cloudinit",
    "VM.Config.Disk",
    "VM.Config.HWType",
    "VM.Config.Memory",
    "VM.Config.Network",
    "VM.Config.Options",
    "VM.Console",
    "VM.Migrate",
    "VM.PowerMgmt",
    "VM.Snapshot",
    "VM.Snapshot.Rollback",
];
const GUEST_8: &[&str] = &["VM.Monitor"];
const GUEST_9: &[&str] = &[
    "VM.GuestAgent.Audit",
    "VM.GuestAgent.FileRead",
    "VM.GuestAgent.FileSystemMgmt",
    "VM.GuestAgent.FileWrite",
    "VM.GuestAgent.Unrestricted",
    "VM.Replicate",
];
const DATASTORE: &[&str] =
    &["Datastore.Allocate", "Datastore.AllocateSpace", "Datastore.AllocateTemplate", "Datastore.Audit"];
const SDN: &[&str] = &["SDN.Allocate", "SDN.Audit", "SDN.Use"];
/// Held by `PVEAdmin` and `Administrator`, beside the above.
const ADMIN: &[&str] = &[
    "Group.Allocate",
    "Mapping.Audit",
    "Mapping.Use",
    "Pool.Allocate",
    "Pool.Audit",
    "Realm.AllocateUser",
    "Sys.Audit",
    "Sys.Console",
    "Sys.Syslog",
    "User.Modify",
];
/// Held by `Administrator` alone.
const SUPER: &[&str] = &[
    "Mapping.Modify",
    "Permissions.Modify",
    "Realm.Allocate",
    "Sys.AccessNetwork",
    "Sys.Incoming",
    "Sys.Modify",
    "Sys.PowerMgmt",
];

fn guest_privs(flavour: Flavour) -> &'static [&'static str] {
    match flavour {
        Flavour::V8_4 => GUEST_8,
        Flavour::V9_1 => GUEST_9,
    }
}

/// Every privilege of a release.
pub(crate) fn all_privs(flavour: Flavour) -> BTreeSet<String> {
    let parts = [VM_PRIVS, guest_privs(flavour), DATASTORE, SDN, ADMIN, SUPER];
    parts.into_iter().flatten().map(|text| (*text).to_owned()).collect()
}

/// The roles that every installation has.
pub(crate) fn built_in_roles(flavour: Flavour) -> BTreeMap<String, BTreeSet<String>> {
    let vm_admin: Vec<&str> = VM_PRIVS.iter().chain(guest_privs(flavour)).copied().collect();
    let admin: Vec<&str> = vm_admin.iter().chain(DATASTORE).chain(SDN).chain(ADMIN).copied().collect();
    let all: Vec<&str> = admin.iter().chain(SUPER).copied().collect();
    let vm_user = ["VM.Audit", "VM.Backup", "VM.Config.CDROM", "VM.Config.Cloudinit", "VM.Console", "VM.PowerMgmt"];
    let auditor = ["Datastore.Audit", "Mapping.Audit", "Pool.Audit", "SDN.Audit", "Sys.Audit", "VM.Audit"];
    let roles: [(&str, &[&str]); 17] = [
        ("NoAccess", &[]),
        ("Administrator", &all),
        ("PVEAdmin", &admin),
        ("PVEVMAdmin", &vm_admin),
        ("PVEVMUser", &vm_user),
        ("PVEAuditor", &auditor),
        ("PVETemplateUser", &["VM.Audit", "VM.Clone"]),
        ("PVEPoolUser", &["Pool.Audit"]),
        ("PVEPoolAdmin", &["Pool.Allocate", "Pool.Audit"]),
        ("PVEDatastoreUser", &["Datastore.AllocateSpace", "Datastore.Audit"]),
        ("PVEDatastoreAdmin", DATASTORE),
        ("PVESDNUser", &["SDN.Audit", "SDN.Use"]),
        ("PVESDNAdmin", SDN),
        ("PVEUserAdmin", &["Group.Allocate", "Realm.AllocateUser", "User.Modify"]),
        ("PVESysAdmin", &["Sys.Audit", "Sys.Console", "Sys.Syslog"]),
        ("PVEMappingUser", &["Mapping.Audit", "Mapping.Use"]),
        ("PVEMappingAdmin", &["Mapping.Audit", "Mapping.Modify", "Mapping.Use"]),
    ];
    let owned = |privs: &[&str]| privs.iter().map(|text| (*text).to_owned()).collect();
    roles.into_iter().map(|(name, privs)| (name.to_owned(), owned(privs))).collect()
}

/// The privileges an identity has on a path.
pub(crate) fn privs(cluster: &Cluster, flavour: Flavour, who: &Identity, path: &str) -> BTreeSet<String> {
    let Some(token_id) = &who.token else { return user_privs(cluster, flavour, &who.user, path) };
    let of_user = user_privs(cluster, flavour, &who.user, path);
    let token = cluster.access.users.get(&who.user).and_then(|user| user.tokens.get(token_id));
    match token {
        Some(token) if !token.privsep => of_user,
        Some(_) => {
            let own = acl_privs(cluster, flavour, &who.full(), path);
            own.intersection(&of_user).cloned().collect()
        }
        None => BTreeSet::new(),
    }
}

fn user_privs(cluster: &Cluster, flavour: Flavour, user: &str, path: &str) -> BTreeSet<String> {
    if user == "root@pam" { all_privs(flavour) } else { acl_privs(cluster, flavour, user, path) }
}

/// Privileges by access control lists: those of the path, and for a VM or storage those of its pools.
fn acl_privs(cluster: &Cluster, flavour: Flavour, who: &str, path: &str) -> BTreeSet<String> {
    let mut out = privs_on(cluster, flavour, who, path);
    for (name, pool) in &cluster.pools {
        let member = match path.trim_start_matches('/').split_once('/') {
            Some(("vms", vmid)) => vmid.parse().is_ok_and(|vmid: u32| pool.vms.contains(&vmid)),
            Some(("storage", storage)) => pool.storages.iter().any(|member| member == storage),
            _ => false,
        };
        if member {
            out.extend(privs_on(cluster, flavour, who, &format!("/pool/{name}")));
        }
    }
    out
}

fn privs_on(cluster: &Cluster, flavour: Flavour, who: &str, path: &str) -> BTreeSet<String> {
    let mut levels = vec!["/".to_owned()];
    let mut so_far = String::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        so_far = format!("{so_far}/{part}");
        levels.push(so_far.clone());
    }
    let mut roles: Vec<&str> = Vec::new();
    for (depth, level) in levels.iter().enumerate() {
        let last = depth + 1 == levels.len();
        let here = cluster.access.acl.iter().filter(|entry| entry.who == who && entry.path == *level);
        let here: Vec<&str> = here.filter(|entry| last || entry.propagate).map(|entry| entry.role.as_str()).collect();
        // A deeper level replaces what was inherited.
        if !here.is_empty() {
            roles = here;
        }
    }
    if roles.contains(&"NoAccess") {
        return BTreeSet::new();
    }
    let built_in = built_in_roles(flavour);
    let of_role = |role: &&str| cluster.access.roles.get(*role).or_else(|| built_in.get(*role));
    roles.iter().filter_map(of_role).flatten().cloned().collect()
}

/// One identity's rights, ready to be asked.
pub(crate) struct Rights<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) flavour: Flavour,
    pub(crate) who: &'a Identity,
}

impl Rights<'_> {
    pub(crate) fn has(&self, path: &str, privilege: &str) -> bool {
        privs(self.cluster, self.flavour, self.who, path).contains(privilege)
    }

    /// 403 `Permission check failed (path, privilege)` unless held.
    pub(crate) fn require(&self, path: &str, privilege: &str) -> Result<(), ApiError> {
        self.require_any(path, &[privilege])
    }

    /// 403 naming all of them unless one is held.
    pub(crate) fn require_any(&self, path: &str, privileges: &[&str]) -> Result<(), ApiError> {
        let held = privs(self.cluster, self.flavour, self.who, path);
        if privileges.iter().any(|privilege| held.contains(*privilege)) {
            return Ok(());
        }
        Err(ApiError::forbidden(format!("Permission check failed ({path}, {})", privileges.join("|"))))
    }

    /// `VM.Allocate` on the VM, or on the pool it goes into; the refusal of this choice names nothing.
    pub(crate) fn require_allocate(&self, vmid: u32, pool: Option<&str>) -> Result<(), ApiError> {
        let by_vm = self.has(&format!("/vms/{vmid}"), "VM.Allocate");
        let by_pool = pool.is_some_and(|pool| self.has(&format!("/pool/{pool}"), "VM.Allocate"));
        if by_vm || by_pool { Ok(()) } else { Err(ApiError::forbidden("Permission check failed")) }
    }

    pub(crate) fn require_bridge(&self, bridge: &str) -> Result<(), ApiError> {
        self.require(&format!("/sdn/zones/localnetwork/{bridge}"), "SDN.Use")
    }

    pub(crate) fn require_space(&self, storage: &str) -> Result<(), ApiError> {
        self.require(&format!("/storage/{storage}"), "Datastore.AllocateSpace")
    }

    /// The pool must exist, whatever the rights.
    pub(crate) fn require_pool(&self, pool: &str) -> Result<(), ApiError> {
        if self.cluster.pools.contains_key(pool) {
            return Ok(());
        }
        Err(ApiError::forbidden(format!("Permission check failed (pool '{pool}' does not exist)")))
    }
}

#[cfg(test)]
mod tests {
    use super::{AclEntry, Identity, Rights, Token, User, built_in_roles};
    use crate::config::Flavour;
    use crate::state::Cluster;

    fn cluster() -> Cluster {
        let mut cluster = Cluster::default();
        cluster.access.roles = built_in_roles(Flavour::V8_4);
        let tokens = [("full", false), ("apart", true)];
        let tokens = tokens.map(|(id, privsep)| (id.to_owned(), Token { privsep, ..Token::default() }));
        let user = User { tokens: tokens.into_iter().collect(), ..User::default() };
        cluster.access.users.insert("robot@pve".into(), user);
        cluster
    }

    fn entry(path: &str, who: &str, role: &str) -> AclEntry {
        AclEntry { path: path.into(), who: who.into(), role: role.into(), propagate: true }
    }

    fn who(token: &str) -> Identity {
        Identity { user: "robot@pve".into(), token: Some(token.into()) }
    }

    #[test]
    fn a_separated_token_has_only_what_both_it_and_its_user_have() {
        let mut cluster = cluster();
        cluster.access.acl = vec![entry("/", "robot@pve", "PVEVMUser")];
        let (full, apart) = (who("full"), who("apart"));
        let has =
            |cluster: &Cluster, who| Rights { cluster, flavour: Flavour::V8_4, who }.has("/vms/100", "VM.PowerMgmt");
        assert!(has(&cluster, &full));
        assert!(!has(&cluster, &apart));
        cluster.access.acl.push(entry("/vms", "robot@pve!apart", "Administrator"));
        assert!(has(&cluster, &apart));
        let rights = Rights { cluster: &cluster, flavour: Flavour::V8_4, who: &apart };
        assert!(!rights.has("/vms/100", "VM.Allocate"), "the user lacks it");
    }

    #[test]
    fn a_deeper_entry_replaces_an_inherited_one() {
        let mut cluster = cluster();
        cluster.access.acl = vec![entry("/", "robot@pve", "Administrator"), entry("/vms/100", "robot@pve", "NoAccess")];
        let full = who("full");
        let rights = Rights { cluster: &cluster, flavour: Flavour::V8_4, who: &full };
        assert!(rights.has("/vms/101", "VM.Audit"));
        let refused = rights.require("/vms/100", "VM.Audit").unwrap_err();
        assert_eq!(refused.reason, "Permission check failed (/vms/100, VM.Audit)");
    }
}
