import { Modal } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { jobQuery, words } from '@/lib/jobs/job';
import { JobDetail } from './JobDetail';

/** The job that the URL names, over the page that is shown. */
export function JobModal({ id }: { id: string | undefined }) {
  const navigate = useNavigate();
  const close = () => {
    // Which parameters there are is the route's to say.
    const without = (before: object) => ({ ...before, job: undefined });
    void navigate({ to: '.', search: without });
  };
  return (
    <Modal opened={Boolean(id)} onClose={close} size="xl" title={id && <Title id={id} />}>
      {id && <JobDetail id={id} />}
    </Modal>
  );
}

function Title({ id }: { id: string }) {
  const { data } = useQuery(jobQuery(id));
  return data ? words(data.kind) : 'Job';
}
