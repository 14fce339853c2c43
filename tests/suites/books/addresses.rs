//! Address pools and allocation.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use control_plane::db::Window;
use control_plane::domain::ipam::{AllocatedAddress, IpPool, IpPoolCreate, IpPoolPatch, NetworkFacts};
use control_plane::error::{Error, Result};
use control_plane::ids::{CloudPodId, IpPoolId};
use futures::future::join_all;
use proptest::prelude::*;

use crate::{Books, actor, code, each, fields};

fn pool(name: &str, cidr: &str, gateway: &str) -> IpPoolCreate {
    IpPoolCreate {
        name: name.into(),
        cidr: Some(cidr.into()),
        gateway: gateway.into(),
        dns: vec!["192.0.2.53".into()],
        active: true,
        ..IpPoolCreate::default()
    }
}

fn network(region: &str) -> NetworkFacts {
    NetworkFacts { region: region.into(), bridge: "vmbr0".into(), bridges: vec!["vmbr0".into(), "vmbr1".into()] }
}

async fn make(books: &Books, input: IpPoolCreate) -> IpPool {
    books.ipam.pool_create(&actor(), input).await.unwrap()
}

async fn allocate(books: &Books, pod: CloudPodId, pools: &[IpPoolId]) -> Result<Vec<AllocatedAddress>> {
    let mut tx = books.db.begin().await?;
    let addresses = books.ipam.addresses_allocate(&mut tx, pod, &network("default"), pools).await?;
    tx.commit().await?;
    Ok(addresses)
}

async fn release(books: &Books, pod: CloudPodId) -> Result<()> {
    let mut tx = books.db.begin().await?;
    books.ipam.addresses_release(&mut tx, pod).await?;
    tx.commit().await
}

fn texts(addresses: &[AllocatedAddress]) -> Vec<String> {
    addresses.iter().map(|a| format!("{}/{}", a.address, a.prefix_length)).collect()
}

#[tokio::test]
async fn a_pod_gets_one_address_of_each_version_and_keeps_them() {
    each(|books| async move {
        make(&books, pool("public4", "192.0.2.0/29", "192.0.2.1")).await;
        make(&books, pool("public6", "2001:db8::/64", "2001:db8::1")).await;
        let pod = books.pod().await;
        let first = allocate(&books, pod, &[]).await.unwrap();
        assert_eq!(texts(&first), ["192.0.2.2/29", "2001:db8::2/64"], "{}", books.name);
        assert_eq!(first[0].gateway, "192.0.2.1".parse::<IpAddr>().unwrap());
        assert_eq!(first[0].dns, ["192.0.2.53".parse::<IpAddr>().unwrap()]);
        assert_eq!(allocate(&books, pod, &[]).await.unwrap(), first);
        let shown = books.ipam.pool_show("public4").await.unwrap();
        assert_eq!((shown.allocated, shown.range.size()), (1, 5));
        let holders = books.ipam.pool_holders(shown.id, Window { limit: 10, after: None }).await.unwrap();
        assert_eq!(
            holders.iter().map(|h| (h.pod, h.address.to_string())).collect::<Vec<_>>(),
            [(pod, "192.0.2.2".to_owned())]
        );

        for _ in 0..2 {
            release(&books, pod).await.unwrap();
        }
        assert_eq!(books.ipam.pool_show("public4").await.unwrap().allocated, 0);
        let next = books.pod().await;
        assert_eq!(texts(&allocate(&books, next, &[]).await.unwrap())[0], "192.0.2.3/29", "a released address rests");
    })
    .await;
}

#[tokio::test]
async fn a_full_pool_is_named_and_nothing_is_held() {
    each(|books| async move {
        let small = make(&books, pool("small", "192.0.2.0/30", "192.0.2.1")).await;
        let six = make(&books, pool("six", "2001:db8::/64", "fe80::1")).await;
        let (a, b) = (books.pod().await, books.pod().await);
        allocate(&books, a, &[small.id]).await.unwrap();
        let error = allocate(&books, b, &[six.id, small.id]).await.unwrap_err();
        assert_eq!(fields(&error), ["small"]);
        let mut read = books.db.read().await.unwrap();
        assert!(books.ipam.addresses_of(read.conn(), b).await.unwrap().is_empty());
        drop(read);
        assert_eq!(books.ipam.pool_show("six").await.unwrap().allocated, 0);
        release(&books, a).await.unwrap();
        assert_eq!(texts(&allocate(&books, b, &[small.id]).await.unwrap()), ["192.0.2.2/30"], "{}", books.name);
    })
    .await;
}

#[tokio::test]
async fn pools_serve_their_region_and_without_pools_there_is_dhcp() {
    each(|books| async move {
        let pod = books.pod().await;
        assert!(allocate(&books, pod, &[]).await.unwrap().is_empty(), "no pool at all: DHCP");
        let mut elsewhere = pool("elsewhere", "192.0.2.0/28", "192.0.2.1");
        elsewhere.region = Some("eu".into());
        let elsewhere = make(&books, elsewhere).await;
        assert_eq!(fields(&allocate(&books, pod, &[]).await.unwrap_err()), ["pools"]);
        assert_eq!(code(&allocate(&books, pod, &[elsewhere.id]).await.unwrap_err()), "ip_pool_unusable");
        make(&books, pool("everywhere", "198.51.100.0/28", "198.51.100.1")).await;
        let mut here = pool("here", "203.0.113.0/30", "203.0.113.1");
        here.region = Some("default".into());
        make(&books, here).await;
        let mut tagged = pool("tagged6", "2001:db8::/64", "2001:db8::1");
        tagged.vlan = Some(7);
        make(&books, tagged).await;
        assert_eq!(texts(&allocate(&books, pod, &[]).await.unwrap()), ["203.0.113.2/30"], "the region's own, one wire");
        let second = books.pod().await;
        assert_eq!(texts(&allocate(&books, second, &[]).await.unwrap()), ["198.51.100.2/28"], "the next that has room");
    })
    .await;
}

#[tokio::test]
async fn the_gateway_is_never_given_out_and_every_other_address_is() {
    each(|books| async move {
        let mut input = pool("middle", "192.0.2.0/29", "192.0.2.3");
        (input.cidr, input.prefix_length) = (None, Some(29));
        (input.first, input.last) = (Some("192.0.2.2".into()), Some("192.0.2.5".into()));
        let made = make(&books, input).await;
        assert_eq!(made.range.size(), 3);
        let mut got = Vec::new();
        let mut last = None;
        for _ in 0..3 {
            let pod = books.pod().await;
            got.push(allocate(&books, pod, &[made.id]).await.unwrap()[0].address.to_string());
            last = Some(pod);
        }
        assert_eq!(got, ["192.0.2.2", "192.0.2.4", "192.0.2.5"], "{}", books.name);
        let pod = books.pod().await;
        assert_eq!(fields(&allocate(&books, pod, &[made.id]).await.unwrap_err()), ["middle"]);
        release(&books, last.unwrap()).await.unwrap();
        assert_eq!(allocate(&books, pod, &[made.id]).await.unwrap()[0].address.to_string(), "192.0.2.5");
    })
    .await;
}

#[tokio::test]
async fn ranges_that_make_no_sense_are_refused_by_field() {
    each(|books| async move {
        make(&books, pool("taken", "192.0.2.0/24", "192.0.2.1")).await;
        let range = |first: &str, last: &str, prefix: u8, gateway: &str| IpPoolCreate {
            cidr: None,
            first: Some(first.into()),
            last: Some(last.into()),
            prefix_length: Some(prefix),
            ..pool("new", "", gateway)
        };
        let mut bad_rest = pool("a b", "10.0.0.0/24", "10.0.0.1");
        (bad_rest.vlan, bad_rest.bridge) = (Some(4095), Some("vm br".into()));
        bad_rest.dns = vec!["10.0.0.53".into(), "dns.example".into()];
        let both = IpPoolCreate { last: Some("10.0.0.9".into()), ..pool("new", "10.0.0.0/24", "10.0.0.1") };
        let none = IpPoolCreate { cidr: None, ..pool("new", "", "10.0.0.1") };
        for (input, expected) in [
            (bad_rest, vec!["dns[1]", "name", "bridge", "vlan"]),
            (both, vec!["cidr"]),
            (none, vec!["cidr"]),
            (pool("new", "10.0.0.1/24", "10.0.0.1"), vec!["cidr"]),
            (pool("new", "10.0.0.0/24", "10.0.1.1"), vec!["gateway"]),
            (pool("new", "10.0.0.0/24", "2001:db8::1"), vec!["gateway"]),
            (pool("new", "10.0.0.0/24", "10.0.0.255"), vec!["gateway"]),
            (pool("new", "10.0.0.0/24", "x"), vec!["gateway"]),
            (pool("new", "10.0.0.0/32", "10.0.0.0"), vec!["cidr"]),
            (range("10.0.0.9", "10.0.0.2", 24, "10.0.0.1"), vec!["last"]),
            (range("10.0.0.0", "10.0.0.9", 24, "10.0.0.1"), vec!["first"]),
            (range("10.0.0.2", "10.0.1.9", 24, "10.0.0.1"), vec!["last"]),
            (range("10.0.0.2", "10.0.0.255", 24, "10.0.0.1"), vec!["last"]),
            (range("10.0.0.2", "10.0.0.9", 33, "10.0.0.1"), vec!["prefix_length"]),
            (range("10.0.0.2", "::9", 24, "10.0.0.1"), vec!["last"]),
            (range("2001:db8::1", "2001:db8::ffff:0:0:0", 64, "2001:db8::1"), vec!["last"]),
            (range("10.0.0.2", "10.0.0.2", 24, "10.0.0.2"), vec!["last"]),
        ] {
            let what = format!("{input:?}");
            let error = books.ipam.pool_create(&actor(), input).await.expect_err(&what);
            assert_eq!(fields(&error), expected, "{what}: {error}");
        }
        let overlap = books.ipam.pool_create(&actor(), pool("new", "192.0.2.128/25", "192.0.2.129")).await.unwrap_err();
        assert!(overlap.to_string().contains("overlaps pool taken"), "{overlap}");
        let twice = books.ipam.pool_create(&actor(), pool("taken", "10.0.0.0/24", "10.0.0.1")).await.unwrap_err();
        assert_eq!(code(&twice), "ip_pool_name_taken");
    })
    .await;
}

#[tokio::test]
async fn a_pool_in_use_keeps_what_is_held() {
    each(|books| async move {
        let made = make(&books, pool("public", "192.0.2.0/28", "192.0.2.1")).await;
        let (a, b) = (books.pod().await, books.pod().await);
        allocate(&books, a, &[]).await.unwrap();
        allocate(&books, b, &[]).await.unwrap();
        let change = async |patch: IpPoolPatch| books.ipam.pool_update(&actor(), "public", None, patch).await;
        let last = |last: &str| IpPoolPatch { last: Some(last.into()), ..IpPoolPatch::default() };
        assert_eq!(fields(&change(last("192.0.2.2")).await.unwrap_err()), ["last"]);
        let gateway = IpPoolPatch { gateway: Some("192.0.2.3".into()), ..IpPoolPatch::default() };
        assert_eq!(fields(&change(gateway).await.unwrap_err()), ["gateway"]);
        assert_eq!(change(last("192.0.2.3")).await.unwrap().range.size(), 2);
        let stale = books.ipam.pool_update(&actor(), "public", Some(made.version), last("192.0.2.4")).await;
        assert!(matches!(stale, Err(Error::Stale)));
        assert_eq!(code(&books.ipam.pool_delete(&actor(), "public", None).await.unwrap_err()), "ip_pool_in_use");
        release(&books, a).await.unwrap();
        release(&books, b).await.unwrap();
        books.ipam.pool_delete(&actor(), "public", None).await.unwrap();
        assert_eq!(code(&books.ipam.pool_show("public").await.unwrap_err()), "not_found");
    })
    .await;
}

#[derive(Clone, Debug)]
enum Move {
    Take(usize),
    Release(usize),
}

fn rounds() -> impl Strategy<Value = Vec<Vec<Move>>> {
    let one = prop_oneof![3 => (0..9_usize).prop_map(Move::Take), 2 => (0..9_usize).prop_map(Move::Release)];
    prop::collection::vec(prop::collection::vec(one, 1..7), 1..8)
}

#[test]
fn no_address_is_held_twice_and_none_is_lost_after_any_moves() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for database in runtime.block_on(mpanel_tests::databases()) {
        let books = Arc::new(runtime.block_on(Books::over(Arc::new(database))));
        let config = ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() };
        let case = AtomicU8::new(0);
        proptest!(config, |(rounds in rounds())| {
            runtime.block_on(moves_check(&books, case.fetch_add(1, Ordering::Relaxed), rounds));
        });
    }
}

async fn moves_check(books: &Arc<Books>, case: u8, rounds: Vec<Vec<Move>>) {
    // Five addresses for nine pods: .1 is the gateway's.
    let four =
        make(books, pool(&format!("four-{case}"), &format!("10.0.{case}.0/29"), &format!("10.0.{case}.1"))).await;
    let six = make(books, pool(&format!("six-{case}"), &format!("2001:db8:{case}::/64"), "fe80::1")).await;
    let mut pods = Vec::new();
    for _ in 0..9 {
        pods.push(books.pod().await);
    }
    for round in rounds {
        let mut busy = BTreeSet::new();
        let moves: Vec<_> = round
            .into_iter()
            .filter(|m| match m {
                Move::Take(pod) | Move::Release(pod) => busy.insert(*pod),
            })
            .collect();
        join_all(moves.into_iter().map(|m| {
            let (books, pods, pools) = (books.clone(), pods.clone(), [four.id, six.id]);
            async move {
                for _ in 0..50 {
                    let result = match m {
                        Move::Take(pod) => allocate(&books, pods[pod], &pools).await.map(drop),
                        Move::Release(pod) => release(&books, pods[pod]).await,
                    };
                    match result {
                        Ok(()) | Err(Error::NoAddresses(_)) => return,
                        Err(Error::Unavailable { .. }) => {}
                        Err(error) => panic!("{error}: {error:?}"),
                    }
                }
                panic!("50 attempts were in vain");
            }
        }))
        .await;
        for pool in [&four, &six] {
            let held = books.ipam.pool_holders(pool.id, Window { limit: 100, after: None }).await.unwrap();
            let shown = books.ipam.pool_show(&pool.name).await.unwrap();
            assert_eq!(held.len() as u64, shown.allocated);
            assert_eq!(held.iter().map(|h| h.address).collect::<BTreeSet<_>>().len(), held.len());
            assert_eq!(held.iter().map(|h| h.pod).collect::<BTreeSet<_>>().len(), held.len());
            assert!(held.iter().all(|h| h.address != pool.range.gateway
                && h.address >= pool.range.first
                && h.address <= pool.range.last));
        }
        let mut read = books.db.read().await.unwrap();
        for pod in &pods {
            let count = books.ipam.addresses_of(read.conn(), *pod).await.unwrap().len();
            assert!(count == 0 || count == 2, "a pod holds all it asked for or nothing, not {count}");
        }
    }
}
