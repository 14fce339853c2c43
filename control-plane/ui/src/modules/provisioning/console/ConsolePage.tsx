import { Alert, Anchor, Button, Group, Text } from '@mantine/core';
import { IconPlugConnectedX } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useRef } from 'react';
import { useCan } from '@/api/me';
import { RefusedPage } from '@/frame/RefusedPage';
import { Page } from '@/lib/page/Page';
import { PodStates } from '../list/podColumns';
import { podQuery } from '../pods';
import { consoleRoute } from '../routes';
import classes from './Console.module.css';
import { ConsoleTools } from './ConsoleTools';
import { useScreen } from './useScreen';

export function ConsolePage() {
  const { id } = consoleRoute.useParams();
  const can = useCan();
  return can('cloudpods:write') ? <Console id={id} /> : <RefusedPage title="Console" />;
}

/** A pod's screen and keyboard. */
function Console({ id }: { id: string }) {
  const { data: pod } = useQuery(podQuery(id));
  const frame = useRef<HTMLDivElement>(null);
  const place = useRef<HTMLDivElement>(null);
  const { state, open } = useScreen(id, place);
  const name = pod?.name ?? 'CloudPod';
  return (
    <Page
      title={`Console of ${name}`}
      beside={pod && <PodStates pod={pod} />}
      about={
        <Anchor size="sm" renderRoot={(props) => <Link to="/provisioning/cloudpods/$id" params={{ id }} {...props} />}>
          Back to {name}
        </Anchor>
      }
    >
      <div ref={frame} className={classes.frame}>
        <ConsoleTools state={state} frame={frame} />
        {state.now === 'ended' && (
          <Alert
            color={state.isProblem ? 'red' : 'yellow'}
            icon={<IconPlugConnectedX aria-hidden />}
            title={state.isProblem ? 'The console did not open' : 'The console has ended'}
            role="alert"
            radius={0}
          >
            <Group justify="space-between">
              <Text size="sm">{state.why}</Text>
              <Button size="xs" variant="default" onClick={open}>
                Open it again
              </Button>
            </Group>
          </Alert>
        )}
        <section ref={place} className={classes.screen} aria-label={`Screen of ${name}`} data-now={state.now} />
      </div>
      <Text size="xs" c="dimmed">
        Keys go to the CloudPod once its screen was pressed; press beside it to have them back. Your browser keeps some,
        such as Ctrl-W, for itself.
      </Text>
    </Page>
  );
}
