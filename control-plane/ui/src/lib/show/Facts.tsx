import type { ReactNode } from 'react';
import classes from './Facts.module.css';
import { Exactly } from './Time';

export interface Fact {
  title: string;
  value: ReactNode;
  /** Whether it takes the room of two. */
  isWide?: boolean;
}

/** Names and what they are, side by side where there is room; what is false is left out. */
export function Facts({ facts }: { facts: (Fact | false | null | undefined)[] }) {
  return (
    <dl className={classes.facts}>
      {facts.map(
        (fact) =>
          fact && (
            <div key={fact.title} data-wide={fact.isWide}>
              <dt>{fact.title}</dt>
              <dd>
                <Exactly value={true}>
                  {fact.value === '' || fact.value === null || fact.value === undefined ? '–' : fact.value}
                </Exactly>
              </dd>
            </div>
          ),
      )}
    </dl>
  );
}
