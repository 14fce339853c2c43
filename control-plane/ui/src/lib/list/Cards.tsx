import { Group, Paper, Stack } from '@mantine/core';
import { ChooseBox, type ItemsProps } from './List';
import classes from './List.module.css';
import { openRow } from './openRow';

/** The rows of a list where a table has no room. */
export function Cards<T>({ label, columns, rowKey, selection, items }: ItemsProps<T>) {
  const [name, ...facts] = columns;
  return (
    <Stack component="ul" gap="xs" aria-label={label} className={classes.cards}>
      {items.map((item) => (
        <Paper component="li" key={rowKey(item)} withBorder p="sm" className={classes.row} onClick={openRow}>
          <Group gap="xs" mb={4} wrap="nowrap">
            {selection && <ChooseBox id={rowKey(item)} selection={selection} />}
            {name?.show(item)}
          </Group>
          <dl className={classes.facts}>
            {facts.map(({ key, title, show }) => (
              <div key={key}>
                <dt>{title}</dt>
                <dd>{show(item)}</dd>
              </div>
            ))}
          </dl>
        </Paper>
      ))}
    </Stack>
  );
}
