import '@mantine/spotlight/styles.css';

import { Text } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { createSpotlight, Spotlight } from '@mantine/spotlight';
import { IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type KeyboardEvent, useEffect } from 'react';
import { key } from '@/api/keys';
import { useCan, useScope } from '@/api/me';
import { useMenu } from '../Navigation';
import { find, type Hit } from './find';

const [store, spotlight] = createSpotlight();

interface Props {
  open: boolean;
  onClose: () => void;
  query: string;
  setQuery: (query: string) => void;
  /** Called when the field takes what is typed. */
  ready: () => void;
}

export default function Search({ open, onClose, query, setQuery, ready }: Props) {
  const navigate = useNavigate();
  const can = useCan();
  const { isPlatform } = useScope();
  const pages = useMenu();
  const [asked] = useDebouncedValue(query.trim(), 200);
  useEffect(() => (open ? spotlight.open() : spotlight.close()), [open]);

  const found = useQuery({
    queryKey: [...key('cloudpod', 'search'), asked, isPlatform],
    queryFn: ({ signal }) => find(asked, { can, isPlatform }, signal),
    enabled: open && asked.length > 1,
  });
  const wanted = query.trim().toLowerCase();
  const hits: Hit[] = [
    ...(asked.length > 1 && asked === query.trim() ? (found.data ?? []) : []),
    ...pages
      .filter(({ label }) => label.toLowerCase().includes(wanted))
      .map(({ label, to, icon }): Hit => ({ id: to, label, about: 'Page', icon, link: { to } })),
  ];
  const go = ({ link }: Hit) => {
    spotlight.close();
    void navigate(link);
  };
  // Spotlight marks an action when somebody types; what is found comes later, and then none may be marked.
  const onEnter = (event: KeyboardEvent) => {
    const [first] = hits;
    if (event.key === 'Enter' && first && !document.querySelector('[data-action][data-selected]')) go(first);
  };
  const isSearching = found.isFetching || asked !== query.trim();

  return (
    <Spotlight.Root
      store={store}
      query={query}
      onQueryChange={setQuery}
      shortcut={null}
      onSpotlightClose={onClose}
      scrollable
      centered={false}
      yOffset="10vh"
      overlayProps={{ blur: 0, backgroundOpacity: 0.45 }}
      attributes={{ content: { 'aria-label': 'Search' } }}
      maxHeight={420}
    >
      <Spotlight.Search
        placeholder="A name, an id, an e-mail address, status:failed …"
        aria-label="Search"
        onKeyDown={onEnter}
        onFocus={ready}
        leftSection={<IconSearch aria-hidden size={18} stroke={1.6} />}
      />
      <Spotlight.ActionsList>
        {hits.map(({ id, label, about, icon: Icon, link }) => (
          <Spotlight.Action
            key={id}
            label={label}
            description={about}
            leftSection={<Icon aria-hidden size={20} stroke={1.5} />}
            onClick={() => void navigate(link)}
          />
        ))}
        {hits.length === 0 && <Spotlight.Empty>{isSearching ? 'Searching…' : <Nothing />}</Spotlight.Empty>}
      </Spotlight.ActionsList>
    </Spotlight.Root>
  );
}

function Nothing() {
  return (
    <>
      Nothing is so called
      <Text size="xs" c="dimmed" mt={4}>
        Found are names, customers and e-mail addresses by how they begin, whole ids and IP addresses, and by
        status:failed what is in a state.
      </Text>
    </>
  );
}
