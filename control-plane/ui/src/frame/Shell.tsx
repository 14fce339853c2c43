import { AppShell, Burger, Group, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { Link, Outlet, useRouterState } from '@tanstack/react-router';
import { Suspense, useEffect, useRef } from 'react';
import { follow } from '@/api/live';
import { useCan } from '@/api/me';
import { useTenant } from '@/api/scope';
import { JobsWatched } from '@/lib/jobs/JobsWatched';
import { PageSkeleton } from '@/lib/page/PageSkeleton';
import { LiveMark, OutageAlert } from './LiveMark';
import { Logo } from './Logo';
import { Navigation, useRefused } from './Navigation';
import { RefusedPage } from './RefusedPage';
import classes from './Shell.module.css';
import { Shortcuts } from './Shortcuts';
import { SearchButton } from './search/SearchButton';
import { TenantSwitcher } from './TenantSwitcher';
import { UserMenu } from './UserMenu';

/** What surrounds every page once somebody is signed in. */
export function Shell() {
  return (
    <Suspense fallback={null}>
      <Frame />
    </Suspense>
  );
}

function Frame() {
  const [menuOpen, menu] = useDisclosure(false);
  const tenant = useTenant();
  const can = useCan();
  const mayFollow = can('events:read');
  useEffect(() => (mayFollow ? follow() : undefined), [mayFollow]);
  const main = useFocusOnArrival();
  const refused = useRefused();

  return (
    <AppShell
      header={{ height: 52 }}
      navbar={{ width: 208, breakpoint: 'sm', collapsed: { mobile: !menuOpen } }}
      padding={{ base: 'sm', sm: 'lg' }}
    >
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <AppShell.Header className={classes.header}>
        <Group gap="xs" wrap="nowrap" className={classes.start}>
          <Burger
            opened={menuOpen}
            onClick={menu.toggle}
            hiddenFrom="sm"
            size="sm"
            aria-label={menuOpen ? 'Close the menu' : 'Open the menu'}
          />
          <Link to="/" className={classes.brand} aria-label="mPanel: overview">
            <Logo />
            <Text fw={700} visibleFrom="xs" component="span">
              mPanel
            </Text>
          </Link>
          <TenantSwitcher />
        </Group>
        <SearchButton />
        <Group gap={4} wrap="nowrap" justify="flex-end" className={classes.end}>
          <LiveMark />
          <Shortcuts />
          <UserMenu />
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label="Modules" className={classes.menu} data-closed={!menuOpen || undefined}>
        <Navigation onGo={menu.close} />
      </AppShell.Navbar>
      <AppShell.Main>
        <div ref={main} id="main" tabIndex={-1} className={classes.page}>
          <OutageAlert />
          <Suspense fallback={<PageSkeleton />}>
            {/* Another tenant's page begins anew: nothing that was typed or chosen goes along. */}
            {refused ? <RefusedPage title={refused.label} /> : <Outlet key={tenant} />}
          </Suspense>
        </div>
      </AppShell.Main>
      <JobsWatched />
    </AppShell>
  );
}

/** A page that was gone to gets the focus, so that who listens hears of it. */
function useFocusOnArrival() {
  const ref = useRef<HTMLDivElement>(null);
  const path = useRouterState({ select: (state) => state.location.pathname });
  const shown = useRef(path);
  useEffect(() => {
    if (shown.current === path) return;
    shown.current = path;
    ref.current?.focus({ preventScroll: true });
  }, [path]);
  return ref;
}
