//! `/access`: tickets, users, tokens, roles, access control lists and permissions.

use serde_json::{Map, Value, json};

use crate::access::{self, AclEntry, Identity, Token, User};
use crate::app::{App, Ctx};
use crate::auth::{csrf_token, new_ticket};
use crate::clock;
use crate::codec::RawParams;
use crate::error::{ApiError, ApiResult};
use crate::schema::{COUNT, Kind, check, opt, req};

/// `POST /access/ticket`, which needs no identity. The caller delays a refusal as every 401.
pub(crate) fn ticket(app: &App, raw: &RawParams) -> ApiResult {
    let spec = [
        req("username", Kind::Text),
        req("password", Kind::Text),
        opt("realm", Kind::Text),
        opt("otp", Kind::Text),
        opt("path", Kind::Text),
        opt("privs", Kind::Text),
        opt("new-format", Kind::Bool),
        opt("tfa-challenge", Kind::Text),
    ];
    let params = check(raw, &spec)?;
    let user = match params.get("realm") {
        Some(realm) => format!("{}@{realm}", params.text("username")),
        None => params.text("username").to_owned(),
    };
    app.read(|cluster| {
        let account = cluster.access.users.get(&user).filter(|account| !account.disabled);
        let password = account.and_then(|account| account.password.as_deref());
        if password != Some(params.text("password")) {
            return Err(ApiError::bad_password());
        }
        let who = Identity { user: user.clone(), token: None };
        Ok(json!({
            "username": user, "ticket": new_ticket(cluster, &user), "CSRFPreventionToken": csrf_token(cluster, &user),
            "cap": capabilities(app, cluster, &who),
        }))
    })
}

fn capabilities(app: &App, cluster: &crate::state::Cluster, who: &Identity) -> Value {
    let parts = [
        ("vms", "/vms", &["VM."][..]),
        ("storage", "/storage", &["Datastore."]),
        ("access", "/access", &["User.", "Group."]),
        ("nodes", "/nodes", &["Sys."]),
        ("sdn", "/sdn", &["SDN."]),
        ("dc", "/", &["Sys.Audit", "Sys.Modify", "SDN."]),
        ("mapping", "/mapping", &["Mapping."]),
    ];
    let mut out = Map::new();
    for (name, path, prefixes) in parts {
        let held = access::privs(cluster, app.flavour(), who, path);
        let ours = held.iter().filter(|privilege| {
            let modify = name != "dc" && privilege.as_str() == "Permissions.Modify";
            modify || prefixes.iter().any(|prefix| privilege.starts_with(prefix))
        });
        out.insert(name.to_owned(), ours.map(|privilege| (privilege.clone(), json!(1))).collect::<Map<_, _>>().into());
    }
    Value::Object(out)
}

/// `GET /access/domains`, which needs no identity either.
pub(crate) fn domains(raw: &RawParams) -> ApiResult {
    check(raw, &[])?;
    Ok(json!([
        { "realm": "pam", "type": "pam", "comment": "Linux PAM standard authentication" },
        { "realm": "pve", "type": "pve", "comment": "Proxmox VE authentication server" },
    ]))
}

fn user_row(id: &str, user: &User) -> Value {
    let mut row = json!({
        "userid": id, "enable": u8::from(!user.disabled), "expire": user.expire,
        "realm-type": id.rsplit('@').next().unwrap_or_default(),
    });
    for (key, value) in [("comment", &user.comment), ("email", &user.email)] {
        if let Some(value) = value {
            row[key] = json!(value);
        }
    }
    row
}

pub(crate) fn users(ctx: &Ctx) -> ApiResult {
    check(&ctx.params, &[opt("enabled", Kind::Bool), opt("full", Kind::Bool)])?;
    ctx.rights(|rights| {
        let all = rights.has("/access/groups", "User.Modify") || rights.has("/access/groups", "Sys.Audit");
        let visible = rights.cluster.access.users.iter().filter(|(id, _)| all || **id == ctx.who.user);
        Ok(visible.map(|(id, user)| user_row(id, user)).collect())
    })
}

pub(crate) fn user(ctx: &Ctx, id: &str) -> ApiResult {
    ctx.require_any("/access/groups", &["User.Modify", "Sys.Audit"])?;
    check(&ctx.params, &[])?;
    let row = ctx.read(|cluster| cluster.access.users.get(id).map(|user| user_row(id, user)));
    row.ok_or_else(|| ApiError::internal(format!("no such user ('{id}')")))
}

pub(crate) fn user_create(ctx: &Ctx) -> ApiResult {
    ctx.require("/access/groups", "User.Modify")?;
    let spec = [
        req("userid", Kind::Text),
        opt("password", Kind::Text),
        opt("comment", Kind::Text),
        opt("email", Kind::Text),
        opt("enable", Kind::Bool),
        opt("expire", COUNT),
        opt("firstname", Kind::Text),
        opt("lastname", Kind::Text),
        opt("groups", Kind::Text),
        opt("keys", Kind::Text),
    ];
    let params = check(&ctx.params, &spec)?;
    let id = params.text("userid").to_owned();
    let text = |name: &str| params.get(name).map(str::to_owned);
    let made = User {
        password: text("password"),
        comment: text("comment"),
        email: text("email"),
        disabled: params.get("enable") == Some("0"),
        expire: params.int("expire").unwrap_or(0),
        ..User::default()
    };
    ctx.app.write(|cluster| {
        if cluster.access.users.contains_key(&id) {
            return Err(ApiError::internal(format!("create user failed: user '{id}' already exists")));
        }
        cluster.access.users.insert(id, made);
        Ok(Value::Null)
    })
}

pub(crate) fn user_delete(ctx: &Ctx, id: &str) -> ApiResult {
    ctx.require("/access/groups", "User.Modify")?;
    check(&ctx.params, &[])?;
    ctx.app.write(|cluster| {
        let token = format!("{id}!");
        cluster.access.acl.retain(|entry| entry.who != id && !entry.who.starts_with(&token));
        let gone = cluster.access.users.remove(id).map(|_| Value::Null);
        gone.ok_or_else(|| ApiError::internal(format!("delete user failed: no such user ('{id}')")))
    })
}

fn require_self_or_modify(ctx: &Ctx, user: &str) -> ApiResult<()> {
    if ctx.who.user == user { Ok(()) } else { ctx.require("/access/groups", "User.Modify") }
}

fn with_user<T>(ctx: &Ctx, user: &str, change: impl FnOnce(&mut User) -> ApiResult<T>) -> ApiResult<T> {
    ctx.app.write(|cluster| match cluster.access.users.get_mut(user) {
        Some(user) => change(user),
        None => Err(ApiError::internal(format!("no such user ('{user}')"))),
    })
}

pub(crate) fn tokens(ctx: &Ctx, user: &str) -> ApiResult {
    require_self_or_modify(ctx, user)?;
    check(&ctx.params, &[])?;
    with_user(ctx, user, |user| Ok(user.tokens.iter().map(|(id, token)| token_row(Some(id), token)).collect()))
}

fn token_row(id: Option<&str>, token: &Token) -> Value {
    let mut row = json!({ "privsep": u8::from(token.privsep), "expire": token.expire });
    if let Some(id) = id {
        row["tokenid"] = json!(id);
    }
    if let Some(comment) = &token.comment {
        row["comment"] = json!(comment);
    }
    row
}

pub(crate) fn token(ctx: &Ctx, user: &str, id: &str) -> ApiResult {
    require_self_or_modify(ctx, user)?;
    check(&ctx.params, &[])?;
    with_user(ctx, user, |account| {
        let row = account.tokens.get(id).map(|token| token_row(None, token));
        row.ok_or_else(|| ApiError::internal(format!("no such token '{id}' for user '{user}'")))
    })
}

pub(crate) fn token_create(ctx: &Ctx, user: &str, id: &str) -> ApiResult {
    require_self_or_modify(ctx, user)?;
    let params = check(&ctx.params, &[opt("privsep", Kind::Bool), opt("comment", Kind::Text), opt("expire", COUNT)])?;
    let secret = clock::uuid();
    let made = Token {
        secret: secret.clone(),
        privsep: params.get("privsep") != Some("0"),
        comment: params.get("comment").map(str::to_owned),
        expire: params.int("expire").unwrap_or(0),
    };
    with_user(ctx, user, |account| {
        if account.tokens.contains_key(id) {
            return Err(ApiError::param("tokenid", "Token already exists."));
        }
        account.tokens.insert(id.to_owned(), made);
        // Here, and only here, the flag is text.
        let mut info = json!({ "privsep": params.get("privsep").unwrap_or("1") });
        if let Some(comment) = params.get("comment") {
            info["comment"] = json!(comment);
        }
        Ok(json!({ "full-tokenid": format!("{user}!{id}"), "value": secret, "info": info }))
    })
}

pub(crate) fn token_delete(ctx: &Ctx, user: &str, id: &str) -> ApiResult {
    require_self_or_modify(ctx, user)?;
    check(&ctx.params, &[])?;
    with_user(ctx, user, |account| {
        let gone = account.tokens.remove(id).map(|_| Value::Null);
        gone.ok_or_else(|| ApiError::internal(format!("no such token '{id}' for user '{user}'")))
    })?;
    let full = format!("{user}!{id}");
    ctx.app.write(|cluster| cluster.access.acl.retain(|entry| entry.who != full));
    Ok(Value::Null)
}

pub(crate) fn roles(ctx: &Ctx) -> ApiResult {
    check(&ctx.params, &[])?;
    let special = access::built_in_roles(ctx.app.flavour());
    ctx.read(|cluster| {
        let row = |(id, privs): (&String, &std::collections::BTreeSet<String>)| {
            let privs: Vec<&str> = privs.iter().map(String::as_str).collect();
            json!({ "roleid": id, "privs": privs.join(","), "special": u8::from(special.contains_key(id)) })
        };
        Ok(special
            .iter()
            .map(row)
            .chain(cluster.access.roles.iter().filter(|(id, _)| !special.contains_key(*id)).map(row))
            .collect())
    })
}

fn priv_list(ctx: &Ctx, text: &str) -> ApiResult<std::collections::BTreeSet<String>> {
    let known = access::all_privs(ctx.app.flavour());
    let wanted = text.split([' ', ',', ';']).filter(|item| !item.is_empty());
    let checked = wanted.map(|privilege| {
        if known.contains(privilege) {
            return Ok(privilege.to_owned());
        }
        Err(ApiError::param("privs", format!("invalid format - invalid privilege '{privilege}'\n")))
    });
    checked.collect()
}

pub(crate) fn role_create(ctx: &Ctx) -> ApiResult {
    ctx.require("/access", "Sys.Modify")?;
    let params = check(&ctx.params, &[req("roleid", Kind::Text), opt("privs", Kind::Text)])?;
    let privs = priv_list(ctx, params.get("privs").unwrap_or_default())?;
    let id = params.text("roleid").to_owned();
    let special = access::built_in_roles(ctx.app.flavour()).contains_key(&id);
    ctx.app.write(|cluster| {
        if special || cluster.access.roles.contains_key(&id) {
            return Err(ApiError::internal(format!("create role failed: role '{id}' already exists")));
        }
        cluster.access.roles.insert(id, privs);
        Ok(Value::Null)
    })
}

pub(crate) fn role_update(ctx: &Ctx, id: &str) -> ApiResult {
    ctx.require("/access", "Sys.Modify")?;
    let params = check(&ctx.params, &[opt("privs", Kind::Text), opt("append", Kind::Bool)])?;
    let privs = priv_list(ctx, params.get("privs").unwrap_or_default())?;
    ctx.app.write(|cluster| {
        let role = cluster.access.roles.get_mut(id);
        let role = role.ok_or_else(|| ApiError::internal(format!("role '{id}' does not exist")))?;
        if params.flag("append") {
            role.extend(privs);
        } else {
            *role = privs;
        }
        Ok(Value::Null)
    })
}

pub(crate) fn role_delete(ctx: &Ctx, id: &str) -> ApiResult {
    ctx.require("/access", "Sys.Modify")?;
    check(&ctx.params, &[])?;
    ctx.app.write(|cluster| {
        cluster.access.acl.retain(|entry| entry.role != id);
        let gone = cluster.access.roles.remove(id).map(|_| Value::Null);
        gone.ok_or_else(|| ApiError::internal(format!("delete role failed: role '{id}' does not exist")))
    })
}

pub(crate) fn acl(ctx: &Ctx) -> ApiResult {
    check(&ctx.params, &[])?;
    ctx.rights(|rights| {
        let all = rights.has("/access", "Sys.Audit") || rights.has("/", "Permissions.Modify");
        let entries = rights.cluster.access.acl.iter().filter(|_| all);
        let row = |entry: &AclEntry| {
            let kind = if entry.who.contains('!') { "token" } else { "user" };
            json!({
                "path": entry.path, "ugid": entry.who, "type": kind, "roleid": entry.role,
                "propagate": u8::from(entry.propagate),
            })
        };
        Ok(entries.map(row).collect())
    })
}

pub(crate) fn acl_update(ctx: &Ctx) -> ApiResult {
    let spec = [
        req("path", Kind::Text),
        req("roles", Kind::Text),
        opt("users", Kind::Text),
        opt("tokens", Kind::Text),
        opt("groups", Kind::Text),
        opt("propagate", Kind::Bool),
        opt("delete", Kind::Bool),
    ];
    let path = match ctx.params.get("path") {
        Some(crate::codec::Raw::One(path)) => path.clone(),
        _ => "/".to_owned(),
    };
    ctx.require(&path, "Permissions.Modify")?;
    let params = check(&ctx.params, &spec)?;
    let items = |name: &str| -> Vec<String> {
        params
            .get(name)
            .unwrap_or_default()
            .split([',', ' ', ';'])
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let known = access::built_in_roles(ctx.app.flavour());
    ctx.app.write(|cluster| {
        for role in items("roles") {
            if !known.contains_key(&role) && !cluster.access.roles.contains_key(&role) {
                return Err(ApiError::internal(format!("role '{role}' does not exist")));
            }
            for who in items("users").into_iter().chain(items("tokens")) {
                let user = who.split('!').next().unwrap_or_default();
                if !cluster.access.users.contains_key(user) {
                    return Err(ApiError::internal(format!("user '{user}' does not exist")));
                }
                let propagate = params.get("propagate") != Some("0");
                let entry = AclEntry { path: path.clone(), who, role: role.clone(), propagate };
                let same = |old: &AclEntry| old.path == entry.path && old.who == entry.who && old.role == entry.role;
                cluster.access.acl.retain(|old| !same(old));
                if !params.flag("delete") {
                    cluster.access.acl.push(entry);
                }
            }
        }
        Ok(Value::Null)
    })
}

/// `GET /access/permissions`.
pub(crate) fn permissions(ctx: &Ctx) -> ApiResult {
    let params = check(&ctx.params, &[opt("path", Kind::Text), opt("userid", Kind::Text)])?;
    let who = match params.get("userid") {
        Some(id) if id != ctx.who.full() && id != ctx.who.user => {
            ctx.require("/access", "Sys.Audit")?;
            let (user, token) = id.split_once('!').map_or((id, None), |(user, token)| (user, Some(token)));
            Identity { user: user.to_owned(), token: token.map(str::to_owned) }
        }
        _ => ctx.who.clone(),
    };
    ctx.read(|cluster| {
        let standard = ["/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms"];
        let mut paths: Vec<String> = standard.map(str::to_owned).to_vec();
        paths.extend(cluster.access.acl.iter().map(|entry| entry.path.clone()));
        if let Some(path) = params.get("path") {
            paths = vec![path.to_owned()];
        }
        let mut out = Map::new();
        for path in paths {
            let held = access::privs(cluster, ctx.app.flavour(), &who, &path);
            if held.is_empty() && params.get("path").is_none() {
                continue;
            }
            out.insert(path, held.iter().map(|privilege| (privilege.clone(), json!(1))).collect::<Map<_, _>>().into());
        }
        Ok(Value::Object(out))
    })
}
