//! A page of pods.

use super::PodRow;
use crate::db::{Conn, Window};
use crate::domain::audit::Scope;
use crate::domain::cloudpods::{CloudPod, Filter, PodKey};
use crate::domain::sort::AgeOrName;
use crate::error::Result;
use crate::fetch_all;

macro_rules! select_page {
    ($scope_and_state:literal, $after:literal, $order:literal) => {
        select_pods!(
            $scope_and_state,
            " AND ($3 IS NULL OR ",
            $after,
            ") AND ($4 IS NULL OR p.server_id = $4)
              AND ($5 IS NULL OR p.plan_id = $5)
              AND ($6 IS NULL OR substr(p.name, 1, length($6)) = $6)
              AND ($8 IS NULL OR p.id = $8)
            ORDER BY ",
            $order,
            " LIMIT $7"
        )
    };
}

/// Several texts, so that each can be answered from one index, in the order of the page.
macro_rules! chosen {
    ($scope:expr, $filter:expr, $after:literal, $order:literal) => {
        match ($scope, $filter.state) {
            _ if $filter.id.is_some() => select_page!(
                "WHERE p.id = $8 AND ($1 IS NULL OR p.tenant_id = $1)
                   AND (p.state = $2 OR $2 IS NULL AND p.state <> 'deleted')",
                $after,
                $order
            ),
            (Scope::Platform, None) => {
                select_page!(
                    "WHERE ($1 IS NULL OR p.tenant_id = $1) AND p.state <> 'deleted' AND $2 IS NULL",
                    $after,
                    $order
                )
            }
            (Scope::Platform, Some(_)) => {
                select_page!("WHERE ($1 IS NULL OR p.tenant_id = $1) AND p.state = $2", $after, $order)
            }
            (Scope::Tenant(_), None) => {
                select_page!("WHERE p.tenant_id = $1 AND p.state <> 'deleted' AND $2 IS NULL", $after, $order)
            }
            (Scope::Tenant(_), Some(_)) => select_page!("WHERE p.tenant_id = $1 AND p.state = $2", $after, $order),
        }
    };
}

/// By name only what is not deleted is listed, from the indexes of live names.
macro_rules! by_name {
    ($scope:expr, $filter:expr, $after:literal, $order:literal) => {
        match $scope {
            _ if $filter.id.is_some() => select_page!(
                "WHERE p.id = $8 AND ($1 IS NULL OR p.tenant_id = $1) AND p.state <> 'deleted' AND ($2 IS NULL OR p.state = $2)",
                $after,
                $order
            ),
            Scope::Platform => select_page!(
                "WHERE $1 IS NULL AND p.state <> 'deleted' AND ($2 IS NULL OR p.state = $2)",
                $after,
                $order
            ),
            Scope::Tenant(_) => select_page!(
                "WHERE p.tenant_id = $1 AND p.state <> 'deleted' AND ($2 IS NULL OR p.state = $2)",
                $after,
                $order
            ),
        }
    };
}

pub(in crate::domain::cloudpods) async fn pod_list(
    conn: Conn<'_>,
    scope: Scope,
    filter: &Filter,
    window: Window<PodKey>,
) -> Result<Vec<CloudPod>> {
    let sql = match filter.sort {
        AgeOrName::Newest => chosen!(scope, filter, "$9 IS NULL OR p.id < $3", "p.id DESC"),
        AgeOrName::Oldest => chosen!(scope, filter, "$9 IS NULL OR p.id > $3", "p.id"),
        AgeOrName::Name => by_name!(scope, filter, "(p.name, p.id) > ($9, $3)", "p.name, p.id"),
        AgeOrName::NameBackwards => by_name!(scope, filter, "(p.name, p.id) < ($9, $3)", "p.name DESC, p.id DESC"),
    };
    let Filter { state, server, plan, name_prefix, id, sort: _ } = filter;
    let (name, after) = window.after.unzip();
    let (prefix, limit) = (name_prefix.as_deref(), window.limit);
    fetch_all!(conn, PodRow, sql, scope.tenant(), *state, after, *server, *plan, prefix, limit, *id, name)?
        .into_iter()
        .map(CloudPod::try_from)
        .collect()
}
