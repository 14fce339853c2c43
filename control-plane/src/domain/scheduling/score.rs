use serde::{Deserialize, Serialize};

use super::Request;
use super::filter::{memory_mib_free, vcpu_free};
use crate::domain::servers::ServerCapacity;

/// One whole of a server's capacity.
const WHOLE: i64 = 1_000_000;

/// How well a server suits a pod, among those that fit. The order of the fields is their priority; smaller is better.
///
/// Packing is best-fit with an eye on both resources: a server is preferred the less it has left afterwards, and the
/// more the pod evens out what is left of its CPU and its memory, so that no server ends with one of them stranded. On
/// synthetic mixes with arrivals and departures this placed more before the first refusal than first-fit, plain best-fit,
/// the 10^free formula or cosine alignment, and never less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Score {
    /// A pod of the same tenant is there already: one host's failure should not take all of a tenant's pods. A yes or no
    /// and no count, because a count would spread a large tenant evenly over all servers and leave no room for large pods.
    pub beside_own: bool,
    /// How lopsided the pod makes what is left, plus half of what is left, in millionths of the server.
    pub packing_ppm: i64,
}

impl Score {
    /// The score of `server`, which fits.
    #[must_use]
    pub fn of(request: &Request, server: &ServerCapacity) -> Self {
        let cpu_total = server.vcpu_capacity;
        let cpu = share(vcpu_free(server), cpu_total);
        let memory = share(memory_mib_free(server), server.memory_mib);
        let cpu_after = cpu - share(u64::from(request.vcpu), cpu_total);
        let memory_after = memory - share(request.memory_mib, server.memory_mib);
        let lopsided = (cpu_after - memory_after).abs() - (cpu - memory).abs();
        Self {
            beside_own: request.tenant_pods.contains_key(&server.id),
            packing_ppm: lopsided + i64::midpoint(cpu_after, memory_after),
        }
    }
}

fn share(part: u64, whole: u64) -> i64 {
    i64::try_from(u128::from(part) * WHOLE as u128 / u128::from(whole.max(1))).unwrap_or(i64::MAX / 8)
}
