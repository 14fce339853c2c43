//! Plans, images and tenants.

use control_plane::db::Window;
use control_plane::domain::audit::Scope;
use control_plane::domain::images::{ImageCreate, ImagePatch, TemplateOverride};
use control_plane::domain::plans::{PlanCreate, PlanPatch, Terms};
use control_plane::domain::tenants::TenantFilter;
use control_plane::error::Error;
use control_plane::execute;

use crate::{Books, actor, code, each, fields, heartbeat, inventory, vm};

pub fn image_named(name: &str) -> ImageCreate {
    ImageCreate {
        name: name.into(),
        os: "Debian 13".into(),
        default_user: "debian".into(),
        min_disk_gib: 4,
        template_vmid: Some(9000),
        template_name: None,
        templates: vec![],
        active: true,
    }
}

fn plan_named(name: &str) -> PlanCreate {
    let terms = Terms {
        vcpu: 2,
        memory_mib: 2048,
        disk_gib: 20,
        traffic_gib: Some(1000),
        price_minor: 900,
        currency: "EUR".into(),
    };
    PlanCreate { name: name.into(), terms, active: true }
}

async fn pods_gone(books: &Books) {
    let mut tx = books.db.begin().await.unwrap();
    execute!(tx.conn(), "UPDATE cloudpods SET state = 'deleted', deleted_at = 1").unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_plan_is_changed_by_whoever_read_it_last_and_deleted_only_when_unused() {
    each(|books| async move {
        let plan = books.plans.plan_create(&actor(), plan_named("large")).await.unwrap();
        assert_eq!(books.plans.plan_show("large").await.unwrap(), plan);
        assert_eq!(code(&books.plans.plan_create(&actor(), plan_named("large")).await.unwrap_err()), "plan_name_taken");
        let patch = PlanPatch { price_minor: Some(1000), traffic_gib: Some(None), ..PlanPatch::default() };
        let changed = books.plans.plan_update(&actor(), "large", Some(1), patch.clone()).await.unwrap();
        assert_eq!((changed.terms.price_minor, changed.terms.traffic_gib, changed.version), (1000, None, 2));
        assert_eq!(books.plans.plan_show("large").await.unwrap(), changed);
        let stale = books.plans.plan_update(&actor(), "large", Some(1), patch).await;
        assert!(matches!(stale, Err(Error::Stale)), "{}", books.name);
        books.plans.plan_delete(&actor(), "large", Some(2)).await.unwrap();
        assert_eq!(code(&books.plans.plan_show("large").await.unwrap_err()), "not_found");
        books.plans.plan_create(&actor(), plan_named("large")).await.unwrap();

        books.pod().await;
        let used = books.plans.plan_delete(&actor(), "small", None).await.unwrap_err();
        assert!(used.to_string().contains("1 CloudPod"), "{used}");
        pods_gone(&books).await;
        books.plans.plan_delete(&actor(), "small", None).await.unwrap();
        let mut read = books.db.read().await.unwrap();
        assert_eq!(books.plans.plan_get(read.conn(), books.plan).await.unwrap().name, "small", "history keeps it");
        drop(read);
        let listed = books.plans.plan_list(None, Window { limit: 10, after: None }).await.unwrap();
        assert_eq!(listed.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["large"]);
        let inactive = books.plans.plan_list(Some(false), Window { limit: 10, after: None }).await.unwrap();
        assert!(inactive.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_plan_that_makes_no_sense_is_refused_by_field() {
    each(|books| async move {
        let mut plan = plan_named("");
        plan.terms = Terms {
            vcpu: 0,
            memory_mib: 1,
            disk_gib: 0,
            traffic_gib: Some(u64::MAX),
            price_minor: u64::MAX,
            currency: "euro".into(),
        };
        let error = books.plans.plan_create(&actor(), plan).await.unwrap_err();
        assert_eq!(
            fields(&error),
            ["name", "vcpu", "memory_mib", "disk_gib", "traffic_gib", "price_minor", "currency"]
        );
        for name in ["a\0b", "Small 2", "550e8400-e29b-41d4-a716-446655440000"] {
            let error = books.plans.plan_create(&actor(), plan_named(name)).await.unwrap_err();
            assert_eq!(fields(&error), ["name"], "{name:?}");
            assert_eq!(code(&books.plans.plan_show(name).await.unwrap_err()), "not_found", "{name:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_image_is_found_on_each_server_where_its_template_is() {
    each(|books| async move {
        let by_default = books.server("pve1").await;
        let other = books.server_pending("pve2").await;
        let mut seen = inventory(&[]);
        seen.vms[0].vmid = 8000;
        seen.vms.push(vm(9000));
        books.connect(other.id, heartbeat("pve2", ""), seen).await;
        let templates = async || {
            let mut read = books.db.read().await.unwrap();
            books.images.image_templates(read.conn(), books.image).await.unwrap()
        };
        assert_eq!(templates().await, [(by_default.id, 9000)].into(), "9000 on pve2 is no template ({})", books.name);
        let place = |server: &str, vmid, name: Option<&str>| TemplateOverride {
            server: server.into(),
            template_vmid: vmid,
            template_name: name.map(Into::into),
        };
        let patch =
            ImagePatch { templates: Some(vec![place("pve2", None, Some("debian-13"))]), ..ImagePatch::default() };
        let image = books.images.image_update(&actor(), "debian-13", Some(1), patch).await.unwrap();
        assert_eq!(books.images.image_show("debian-13").await.unwrap(), image);
        assert_eq!(templates().await, [(by_default.id, 9000), (other.id, 8000)].into());
        let mut read = books.db.read().await.unwrap();
        assert_eq!(books.images.templates_expected(read.conn(), by_default.id).await.unwrap(), [9000]);
        assert!(books.images.templates_expected(read.conn(), other.id).await.unwrap().is_empty());
        drop(read);

        let bad = vec![
            place("pve9", Some(9000), None),
            place("pve2", None, None),
            place("pve1", Some(9000), Some("x")),
            place("pve1", Some(99), None),
        ];
        let patch = ImagePatch { templates: Some(bad), ..ImagePatch::default() };
        let error = books.images.image_update(&actor(), "debian-13", None, patch).await.unwrap_err();
        assert_eq!(
            fields(&error),
            [
                "templates[0].server",
                "templates[1].template_vmid",
                "templates[2].template_name",
                "templates[2].template_vmid",
                "templates[3].template_vmid"
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn an_image_is_deleted_only_when_unused() {
    each(|books| async move {
        let bare = ImageCreate { template_vmid: None, default_user: "Root".into(), ..image_named("bare") };
        assert_eq!(fields(&books.images.image_create(&actor(), bare).await.unwrap_err()), ["default_user"]);
        let bare = ImageCreate { template_vmid: None, ..image_named("bare") };
        assert_eq!(fields(&books.images.image_create(&actor(), bare).await.unwrap_err()), ["template_vmid"]);
        assert_eq!(
            code(&books.images.image_create(&actor(), image_named("debian-13")).await.unwrap_err()),
            "image_name_taken"
        );
        books.pod().await;
        assert_eq!(code(&books.images.image_delete(&actor(), "debian-13", None).await.unwrap_err()), "image_in_use");
        pods_gone(&books).await;
        assert!(matches!(books.images.image_delete(&actor(), "debian-13", Some(7)).await, Err(Error::Stale)));
        books.images.image_delete(&actor(), "debian-13", Some(1)).await.unwrap();
        assert!(books.images.image_list(None, Window { limit: 10, after: None }).await.unwrap().is_empty());
        let mut read = books.db.read().await.unwrap();
        assert_eq!(books.images.image_get(read.conn(), books.image).await.unwrap().name, "debian-13");
    })
    .await;
}

#[tokio::test]
async fn the_default_tenant_is_made_once() {
    each(|books| async move {
        let again = Books::over(books.database.clone()).await;
        assert_eq!(books.tenant, again.tenant, "{}", books.name);
        let (all, window) = (TenantFilter::default(), Window { limit: 10, after: None });
        let listed = books.tenants.tenant_list(Scope::Platform, &all, window).await.unwrap();
        assert_eq!(listed.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["Default"]);
        let mut read = books.db.read().await.unwrap();
        assert!(books.tenants.tenant_exists(read.conn(), books.tenant).await.unwrap());
        assert!(!books.tenants.tenant_exists(read.conn(), control_plane::ids::TenantId::generate()).await.unwrap());
        assert_eq!(books.tenants.tenant_default(read.conn()).await.unwrap().id, books.tenant);
    })
    .await;
}
