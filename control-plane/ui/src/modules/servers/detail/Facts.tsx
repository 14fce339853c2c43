import { Fragment, type ReactNode } from 'react';
import classes from './Facts.module.css';

/** Names beside what they are. */
export function Facts({ facts }: { facts: [string, ReactNode][] }) {
  return (
    <dl className={classes.facts}>
      {facts.map(([name, value]) => (
        <Fragment key={name}>
          <dt>{name}</dt>
          <dd>{value ?? 'Not known'}</dd>
        </Fragment>
      ))}
    </dl>
  );
}
