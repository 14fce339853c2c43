import { Button, Group, ScrollArea, Skeleton, Switch, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useCallback, useEffect, useRef, useState } from 'react';
import { isOver } from '@/lib/jobs/job';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { exact } from '@/lib/show/Time';
import classes from './JobLog.module.css';
import { type Job, logQuery } from './jobs';

/** What a job said, page by page; of one that runs, its newest lines as they come. */
export function JobLog({ job }: { job: Job }) {
  const over = isOver(job);
  const [isFollowing, follow] = useState(!over);
  const viewport = useRef<HTMLDivElement>(null);
  const toEnd = useCallback(() => viewport.current?.scrollTo({ top: viewport.current.scrollHeight }), []);
  // Who scrolls up reads there.
  const top = useRef(0);
  const scrolled = ({ y }: { y: number }) => {
    if (y < top.current) follow(false);
    top.current = y;
  };
  return (
    <div>
      <Group justify="space-between" mb={4}>
        <Text size="sm" fw={600} component="h3" m={0}>
          Log
        </Text>
        <Switch
          size="xs"
          label="Follow"
          checked={isFollowing}
          onChange={(event) => follow(event.currentTarget.checked)}
        />
      </Group>
      <ScrollArea.Autosize
        mah={280}
        viewportRef={viewport}
        onScrollPositionChange={scrolled}
        className={classes.frame}
        viewportProps={{ tabIndex: 0, role: 'log', 'aria-label': 'Log of the job' }}
      >
        <LogPage id={job.id} isOver={over} isFollowing={isFollowing} toEnd={toEnd} />
      </ScrollArea.Autosize>
    </div>
  );
}

const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium', hour12: false });

interface Props {
  id: string;
  token?: string;
  isOver: boolean;
  isFollowing: boolean;
  toEnd: () => void;
}

function LogPage({ id, token, isOver, isFollowing, toEnd }: Props) {
  const query = useQuery(logQuery(id, token, isOver));
  const [isMore, setMore] = useState(false);
  const count = query.data?.items.length;
  useEffect(() => {
    if (isFollowing && count) toEnd();
  }, [isFollowing, count, toEnd]);
  useEffect(() => {
    // What was shown while following stays when one reads back.
    if (isFollowing) setMore(true);
  }, [isFollowing]);
  if (query.isPending) return <Skeleton h={18} m="xs" />;
  if (query.isError && !query.data) return <ProblemAlert problem={query.error} retry={() => void query.refetch()} />;
  const { items, next_page_token } = query.data;
  return (
    <>
      {items.map(({ at, step, phase, attempt, retry, level, line }, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines are only added, and have no id
        <div key={index} className={classes.line} data-level={level}>
          <time dateTime={at} title={exact(at)}>
            {CLOCK.format(new Date(at))}
          </time>
          <span className={classes.step}>
            {phase === 'undo' ? 'undo ' : ''}
            {step}
            {attempt > 1 ? ` #${attempt}` : ''}
            {retry > 0 ? `, retry ${retry}` : ''}
          </span>
          <span>
            {level !== 'info' && <b>{level}: </b>}
            {line}
          </span>
        </div>
      ))}
      {items.length === 0 && !token && (
        <Text size="xs" c="dimmed" p="xs">
          It has said nothing yet.
        </Text>
      )}
      {next_page_token &&
        (isMore ? (
          <LogPage id={id} token={next_page_token} isOver={isOver} isFollowing={isFollowing} toEnd={toEnd} />
        ) : (
          <Button size="compact-xs" variant="subtle" m={4} onClick={() => setMore(true)}>
            Show more
          </Button>
        ))}
    </>
  );
}
