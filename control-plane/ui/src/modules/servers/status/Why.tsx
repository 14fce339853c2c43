import { Button, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';

/** So much is seen without unfolding. */
const SHORT = 140;

/** Why something is not as it should be, folded where it is long. */
export function Why({ children }: { children: string }) {
  const [isOpen, { toggle }] = useDisclosure(false);
  const text = children.replaceAll('`', '');
  const isLong = text.length > SHORT;
  return (
    <>
      <Text size="xs" c="dimmed" lineClamp={isLong && !isOpen ? 2 : undefined}>
        {text}
      </Text>
      {isLong && (
        <Button size="compact-xs" variant="subtle" aria-expanded={isOpen} onClick={toggle}>
          {isOpen ? 'Less' : 'All of it'}
        </Button>
      )}
    </>
  );
}
