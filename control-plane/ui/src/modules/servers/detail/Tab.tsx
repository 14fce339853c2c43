import { DriftTab } from '../drift/DriftTab';
import type { SERVER_TABS } from '../routes';
import type { Drain, Server } from '../servers';
import { Agent } from './Agent';
import { DrainTab } from './DrainTab';
import { Health } from './Health';
import { Overview } from './Overview';
import { Pods } from './Pods';
import { Storages } from './Storages';

interface Props {
  name: (typeof SERVER_TABS)[number] | 'overview';
  server: Server;
  /** Undefined: it is being read; null: there never was one. */
  drain: Drain | null | undefined;
}

export function Tab({ name, server, drain }: Props) {
  switch (name) {
    case 'overview':
      return <Overview server={server} drain={drain ?? undefined} />;
    case 'pods':
      return <Pods server={server} />;
    case 'health':
      return <Health server={server} />;
    case 'storages':
      return <Storages server={server} />;
    case 'drift':
      return <DriftTab server={server} />;
    case 'drain':
      return <DrainTab server={server} drain={drain} />;
    case 'agent':
      return <Agent server={server} />;
  }
}
