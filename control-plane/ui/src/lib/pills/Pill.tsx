import { Tooltip } from '@mantine/core';
import type { TablerIcon } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import classes from './Pill.module.css';

export type Tone = 'good' | 'busy' | 'warn' | 'bad' | 'plain';

interface Props {
  tone: Tone;
  icon: TablerIcon;
  /** More of it, in a tooltip. */
  about?: ReactNode;
  children: ReactNode;
}

/** A state: in words, with a sign and a colour. */
export function Pill({ tone, icon: Icon, about, children }: Props) {
  const pill = (
    // What is in a tooltip has to be reached by keyboard too.
    <span className={classes.pill} data-tone={tone} tabIndex={about ? 0 : undefined}>
      <Icon aria-hidden size={13} stroke={2} />
      {children}
    </span>
  );
  return about ? (
    <Tooltip label={about} multiline maw={320}>
      {pill}
    </Tooltip>
  ) : (
    pill
  );
}
