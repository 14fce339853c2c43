import { Link } from '@tanstack/react-router';

const ID = /[0-9a-f]{8}-[0-9a-f-]{27}/;
const SERVER = /\bserver ([A-Za-z0-9._-]+)/;

/** What a finding is about, as a link to it where there is a page of it. */
export function Subject({ subject }: { subject: string }) {
  const [noun] = subject.split(' ', 1);
  const id = subject.match(ID)?.[0];
  const server = subject.match(SERVER)?.[1];
  if (noun === 'cloudpod' && id) {
    return (
      <Link to="/provisioning/cloudpods/$id" params={{ id }}>
        CloudPod …{id.slice(-6)}
      </Link>
    );
  }
  if (noun === 'job' && id) {
    return (
      <Link to="/provisioning/jobs" search={{ job: id }}>
        Job …{id.slice(-6)}
      </Link>
    );
  }
  // `VM 10012 on server pve1 (drift 0198…)`: what can be done about it is on the server's page.
  if (server) {
    return (
      <Link to="/servers/$server" params={{ server }} search={id ? { tab: 'drift' } : {}}>
        {subject.replace(/ \(drift .*\)$/, '')}
      </Link>
    );
  }
  if (noun === 'ip' || noun === 'address') return <Link to="/settings/ip-pools">{subject}</Link>;
  if (noun === 'audit') return <Link to="/audit">The audit</Link>;
  return <b>{subject}</b>;
}
