import { Text, Tooltip } from '@mantine/core';
import { usePeopleNames } from './users';

const KINDS: Record<string, string> = { user: 'User', token: 'API token', agent: 'Agent', system: 'mPanel' };

/** Who did something, as records and invitations name them: `user:<id>`, `token:<id>`, `agent:<id>`, `system:<part>`. */
export function Actor({ actor }: { actor: string }) {
  const nameOf = usePeopleNames();
  const [kind = '', id = ''] = actor.split(':', 2);
  const kindName = KINDS[kind];
  const name = kind === 'user' ? nameOf(id) : undefined;
  const isUuid = id.length === 36;
  const text = name ?? (kindName ? `${kindName} ${isUuid ? `…${id.slice(-6)}` : id}` : actor);
  return (
    <Tooltip label={actor}>
      <Text size="sm" component="span">
        {text}
      </Text>
    </Tooltip>
  );
}
