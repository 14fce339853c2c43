import { useCan, useScope } from '@/api/me';
import { PageTabs } from '@/lib/page/PageTabs';

export function UsersTabs() {
  const can = useCan();
  const { isPlatform } = useScope();
  const accounts = isPlatform && can('users:manage') ? [{ label: 'Accounts', to: '/users/accounts' } as const] : [];
  const tokens = can('tokens:manage') ? [{ label: 'API tokens', to: '/users/tokens' } as const] : [];
  return (
    <PageTabs
      label="Users"
      tabs={[
        { label: 'People', to: '/users' },
        { label: 'Invitations', to: '/users/invitations' },
        ...tokens,
        ...accounts,
      ]}
    />
  );
}
