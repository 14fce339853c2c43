import { Fragment, type ReactNode } from 'react';
import { Exactly } from '@/lib/show/Time';
import classes from './Facts.module.css';

/** Names beside what they are. */
export function Facts({ facts }: { facts: [string, ReactNode][] }) {
  return (
    <dl className={classes.facts}>
      {facts.map(([name, value]) => (
        <Fragment key={name}>
          <dt>{name}</dt>
          <dd>
            <Exactly value={true}>{value ?? 'Not known'}</Exactly>
          </dd>
        </Fragment>
      ))}
    </dl>
  );
}
