import { Button, Group, ScrollArea, Skeleton, Table, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconChartLine, IconTable } from '@tabler/icons-react';
import { lazy, type ReactNode, Suspense, useId } from 'react';
import { exact } from '../show/Time';
import { type Point, type Series, summary } from './points';
import classes from './TimePlot.module.css';

const Drawing = lazy(async () => ({ default: (await import('./Drawing')).Drawing }));

interface Props {
  title: string;
  /** Oldest first; undefined: they are being read. */
  points: Point[] | undefined;
  series: Series[];
  /** A value with its unit. */
  show: (value: number) => string;
  /** `lines` of what is measured now and then, or `bars` of what is counted. */
  kind?: 'lines' | 'bars';
  /** What the axis reaches up to; as far as the values without. */
  max?: number;
  /** Whether its unit counts by powers of two: the axis does too. */
  isBinary?: boolean;
  height?: number;
  /** How a time is written, where it stands for more than its moment; exactly without. */
  when?: (at: string) => string;
  /** Shown where there is no point: say since when there will be. */
  empty: ReactNode;
}

/** Values over time: as a plot, in words, and as a table. */
export function TimePlot({
  title,
  points,
  series,
  show,
  kind = 'lines',
  max,
  isBinary,
  height = 180,
  when,
  empty,
}: Props) {
  const [isTable, { toggle }] = useDisclosure(false);
  const id = useId();
  const isEmpty = points?.length === 0;
  const words = points ? summary(points, series, show, when ?? exact) : '';
  return (
    <figure className={classes.plot} aria-labelledby={id}>
      <Group justify="space-between" gap="xs" mih={26} mb={4}>
        <Text component="figcaption" id={id} size="sm" fw={600}>
          {title}
        </Text>
        {points && !isEmpty && (
          <Button
            size="compact-xs"
            variant="subtle"
            leftSection={isTable ? <IconChartLine aria-hidden size={14} /> : <IconTable aria-hidden size={14} />}
            aria-label={isTable ? `${title}: show the plot` : `${title}: show a table`}
            onClick={toggle}
          >
            {isTable ? 'Plot' : 'Table'}
          </Button>
        )}
      </Group>
      {!points && <Skeleton h={height} aria-busy="true" aria-label={`Loading: ${title}`} />}
      {isEmpty && (
        <div className={classes.empty} style={{ height }}>
          {empty}
        </div>
      )}
      {points && !isEmpty && isTable && (
        <Values title={title} points={points} series={series} show={show} when={when ?? exact} h={height} />
      )}
      {points && !isEmpty && !isTable && (
        <div role="img" aria-label={words} style={{ height }}>
          <Suspense fallback={<Skeleton h={height} />}>
            <Drawing
              points={points}
              series={series}
              show={show}
              kind={kind}
              max={max}
              isBinary={isBinary}
              when={when}
              height={height}
            />
          </Suspense>
        </div>
      )}
    </figure>
  );
}

interface ValuesProps {
  title: string;
  points: Point[];
  series: Series[];
  show: (value: number) => string;
  when: (at: string) => string;
  h: number;
}

/** The newest first. */
function Values({ title, points, series, show, when, h }: ValuesProps) {
  return (
    <ScrollArea h={h} type="auto" viewportProps={{ tabIndex: 0, role: 'region', 'aria-label': `${title}, table` }}>
      <Table stickyHeader verticalSpacing={3} aria-label={title}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Time</Table.Th>
            {series.map(({ name, label }) => (
              <Table.Th key={name}>{label}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {points.toReversed().map(({ at, values }) => (
            <Table.Tr key={at}>
              <Table.Td>
                <time dateTime={at}>{when(at)}</time>
              </Table.Td>
              {series.map(({ name }) => {
                const value = values[name];
                return <Table.Td key={name}>{value == null ? '–' : show(value)}</Table.Td>;
              })}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </ScrollArea>
  );
}
