import { Text, Tooltip } from '@mantine/core';

const KINDS: Record<string, string> = { user: 'User', token: 'API token', agent: 'Agent', system: 'mPanel' };

interface Props {
  /** `user:<id>`, `token:<id>`, `agent:<id>`, `system:<part>`. */
  actor: string;
  /** What they are called, where that is known and told. */
  name?: string | null | undefined;
}

/** Who did something. */
export function Actor({ actor, name }: Props) {
  const [kind = '', id = ''] = actor.split(':', 2);
  const kindName = KINDS[kind];
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
