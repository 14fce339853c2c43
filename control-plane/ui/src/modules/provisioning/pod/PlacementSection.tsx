import { Skeleton, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { problemOf } from '@/api/problem';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';
import { Time } from '@/lib/show/Time';
import { WhyHere } from '../create/WhyHere';
import { type CloudPod, placementQuery } from '../pods';

/** Why a pod is where it is; to whom servers are not shown, in which region. */
export function PlacementSection({ pod }: { pod: CloudPod }) {
  const { data, error, isPending, refetch } = useQuery({
    ...placementQuery(pod.id),
    enabled: pod.server != null,
    retry: false,
  });
  if (pod.server == null) return null;
  const isNotPlaced = error !== null && problemOf(error).status === 404;
  return (
    <Section
      title="Why here"
      about={
        data && (
          <>
            Decided <Time at={data.decided_at} />
            {data.region && `, in the region ${data.region}`}
          </>
        )
      }
    >
      {isPending && <Skeleton h={60} />}
      {isNotPlaced ? (
        <Text size="sm">It was adopted where it was.</Text>
      ) : (
        <ProblemAlert problem={error} retry={() => void refetch()} />
      )}
      {data && !data.explanation && <Text size="sm">It went where it fits best at that time.</Text>}
      {data?.explanation && <WhyHere explanation={data.explanation} />}
    </Section>
  );
}
