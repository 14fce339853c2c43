import { Group, UnstyledButton } from '@mantine/core';
import { Link, type NavigateOptions } from '@tanstack/react-router';
import classes from './PageTabs.module.css';

interface Props {
  /** What they are parts of. */
  label: string;
  tabs: { label: string; to: NonNullable<NavigateOptions['to']> }[];
}

/** Others begin with the path of the first. */
const EXACTLY = { exact: true, includeSearch: false };

/** The pages of a module, side by side. */
export function PageTabs({ label, tabs }: Props) {
  if (tabs.length < 2) return null;
  return (
    <Group component="nav" aria-label={label} gap={0} className={classes.tabs}>
      {tabs.map(({ label: name, to }) => (
        <UnstyledButton
          key={to}
          className={classes.tab}
          renderRoot={(props) => <Link to={to} activeOptions={EXACTLY} {...props} />}
        >
          {name}
        </UnstyledButton>
      ))}
    </Group>
  );
}
